"""Messages to and from the parent: harness/core/WIRE.md."""

import json
import mmap
import os
import select
import struct
import threading

_TO_WORKER_MEMORY, _FROM_WORKER_MEMORY = 3, 4
_INLINE_BYTES = 32768
_PRELUDE = struct.Struct("<QQ")

#: Bytes of one element, by the name that safetensors files use.
ELEMENT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "BOOL": 1, "U8": 1}


class Message:
    """A request: its fields, and its tensors as bytes."""

    def __init__(self, header, data):
        self.fields = header.pop("__metadata__")
        self._entries = header
        self._data = data

    def tensor(self, name):
        """Its dtype's name, its shape, and its bytes."""
        entry = self._entries[name]
        begin, end = entry["data_offsets"]
        return entry["dtype"], tuple(entry["shape"]), self._data[begin:end]


class Channel:
    """Takes descriptors 0 and 1 away, so that nobody else writes to the parent: what is printed goes to 2."""

    def __init__(self):
        self._input, self._output = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        for memory in (_TO_WORKER_MEMORY, _FROM_WORKER_MEMORY):
            os.set_inheritable(memory, False)
        self._mapping = None
        self._offset = 0
        self._end_with_parent()

    def _end_with_parent(self):
        parent = os.getppid()
        waits = select.poll()
        # The input's other end also closes where the parent was gone before it could be watched.
        waits.register(self._input, 0)
        if hasattr(os, "pidfd_open"):
            waits.register(os.pidfd_open(parent), select.POLLIN)

        def watch():
            waits.poll()
            os._exit(0)

        threading.Thread(target=watch, daemon=True).start()

    def receive(self):
        """The next request. Does not return where there is none any more."""
        data_bytes, header_bytes = _PRELUDE.unpack(self._read(_PRELUDE.size))
        is_shared = data_bytes > _INLINE_BYTES
        text = self._read(header_bytes + (0 if is_shared else data_bytes))
        data = self._shared(data_bytes) if is_shared else text[header_bytes:]
        self._offset = 0
        return Message(json.loads(text[:header_bytes]), data)

    def _shared(self, size):
        if self._mapping is None or len(self._mapping) < size:
            self._mapping = mmap.mmap(_TO_WORKER_MEMORY, size, access=mmap.ACCESS_READ)
        return self._mapping

    def _read(self, size):
        pieces = []
        while size:
            piece = os.read(self._input, size)
            if not piece:
                os._exit(0)
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def send(self, fields, tensors=()):
        """`fields`: texts. `tensors`: (name, dtype's name, shape, bytes)."""
        header, pieces, end = {"__metadata__": fields}, [], 0
        for name, dtype, shape, data in tensors:
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
            pieces.append(data)
            end += len(data)
        text = json.dumps(header).encode()
        message = [_PRELUDE.pack(end, len(text)), text]
        if end > _INLINE_BYTES:
            offset = self._offset
            for piece in pieces:
                self._write_shared(piece, offset)
                offset += len(piece)
            self._offset = (offset + 63) // 64 * 64
        else:
            message += pieces
        self._write(b"".join(message))

    @staticmethod
    def _write_shared(data, offset):
        view = memoryview(data)
        while view:
            written = os.pwrite(_FROM_WORKER_MEMORY, view, offset)
            view, offset = view[written:], offset + written

    def _write(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self._output, view) :]
