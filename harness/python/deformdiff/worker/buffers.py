"""Where the inputs of calls lie.

The buffers stay from call to call, as those of a program that fills its own again: what an implementation keeps of an
input, by its address or as an array, is stale by then. Before and behind each input lies a band of NaN as wide as the
input, from 4 KiB to 4 MiB.
"""

import ctypes

_NARROWEST, _WIDEST, _LARGE = 4 << 10, 4 << 20, 16 << 20
#: NaN as a float16 and bfloat16, twice as a float32, four times as a float64.
_BAND = b"\xff\x7f" * (_NARROWEST // 2)


def _band_bytes(size):
    return min(max((size + 63) // 64 * 64, _NARROWEST), _WIDEST)


class Buffer:
    """Of one input. `arrays` makes arrays of the implementation's kind in it."""

    def __init__(self, arrays):
        self._arrays = arrays
        self._capacity = -1
        self._made_of = None
        self.array = None
        self.begin = self.end = 0  # addresses

    def place(self, dtype, shape, strides, offset, data):
        """An array with these strides and this offset (in elements; None: contiguous) in storage of these bytes."""
        size = len(data)
        if size > self._capacity:
            self._grow(size)
        if size <= _NARROWEST:
            width, band = _NARROWEST, _BAND
        else:
            width = _band_bytes(size)
            band = b"\xff\x7f" * (width // 2)
        self._image = image = b"".join((band, data, band))
        self._width = width
        self._used = slice(self._front - width, self._front - width + len(image))
        self._view[self._used] = image
        made_of = (dtype, shape, strides, offset, size)
        if self._made_of != made_of or not self._is_laid_out():
            self._made_of = made_of
            self.array = self._arrays.make(self._memory, self._front, size, dtype, shape, strides, offset)
        return self.array

    def _grow(self, size):
        # Some room, so that the address stays for inputs to come.
        capacity = max(_NARROWEST, 2 * size if size <= _LARGE else size)
        memory = bytearray(capacity + 2 * _band_bytes(capacity) + 64)
        self._memory, self._view = memory, memoryview(memory)
        self._capacity = capacity
        self.begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self.end = self.begin + len(memory)
        front = _band_bytes(capacity)
        self._front = front + -(self.begin + front) % 64
        self._made_of = None

    def _is_laid_out(self):
        """As it was given: shapes and strides can be changed in place."""
        _, shape, strides, _, _ = self._made_of
        return self._arrays.is_laid_out(self.array, shape, strides)

    def damage(self):
        """What happened to it since it was placed: "modified", "before" or "after" the input; or nothing."""
        now = self._view[self._used].tobytes()
        if now == self._image:
            return "" if self._is_laid_out() else "modified"
        if now[: self._width] != self._image[: self._width]:
            return "before"
        return "after" if now[-self._width :] != self._image[-self._width :] else "modified"

    def release_large(self):
        if self._capacity > _LARGE:
            self.__init__(self._arrays)
