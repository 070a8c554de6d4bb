"""One case: the calls, and what is seen of them."""

import time

from deformdiff import adapter
from deformdiff.adapter import Unsupported
from deformdiff.worker import poison
from deformdiff.worker.arrays import NotShown
from deformdiff.worker.blocks import OPAQUE, output_names
from deformdiff.worker.buffers import Buffer
from deformdiff.worker.calls import call
from deformdiff.worker.channel import ELEMENT_BYTES
from deformdiff.worker.loading import place_of

_SENT_AHEAD = 16 << 20


class Result:
    """Fields as in harness/core/WIRE.md; `outputs` and `stages` hold (name, dtype's name, shape, bytes)."""

    def __init__(self):
        self.kind = "returned"
        self.notes = []
        self.seconds = 0.0
        self.outputs, self.stages = [], []
        self.overran = self.modified = self.unwritten_output = ""
        self.first_unwritten = -1
        self.ran_twice, self.repeated_bits = False, True
        self.other_bits = []

    def add_damage(self, further):
        """What a further call was seen to break is said of the first, unless that broke something itself."""
        self.overran = self.overran or further.overran
        self.modified = self.modified or further.modified


def _failed(kind, text):
    result = Result()
    result.kind, result.notes = kind, [text]
    return result


class Executor:
    """Calls one function, and remembers what it handed out."""

    def __init__(self, served, arrays, file):
        self._served, self._arrays, self._file = served, arrays, file
        self._buffers = []
        self._handed_out = []

    def execute(self, case, twice, tap, send_ahead):
        """`case`: attributes, and inputs as (name, dtype's name, shape, strides, offset, bytes). Stages that are large
        together go to `send_ahead` and are not in the result."""
        first = self._call(case)
        if first.kind == "returned" and twice:
            second = self._call(case)
            if second.kind != "returned":
                second.notes[0] = "on a second call: " + second.notes[0]
                return second
            first.ran_twice = True
            first.other_bits = [a[0] for a, b in zip(first.outputs, second.outputs) if a != b]
            first.repeated_bits = first.outputs == second.outputs
            first.add_damage(second)
        if first.kind == "returned" and tap:
            taps = Taps(self._arrays, send_ahead)
            tapped = self._call(case, taps)
            if tapped.kind != "returned":
                tapped.notes[0] = "on a tapped call: " + tapped.notes[0]
                return tapped
            first.add_damage(tapped)
            first.stages = taps.take()
            if self._served.block != OPAQUE:
                first.stages += [("output:" + name, *rest) for name, *rest in tapped.outputs]
        if first.kind == "returned":
            self._look_for_unwritten(case, first)
        return first

    def _call(self, case, taps=None):
        arrays = self._arrays
        result = Result()
        try:
            given = {}
            for position, (name, *placement) in enumerate(case.inputs):
                if position == len(self._buffers):
                    self._buffers.append(Buffer(arrays))
                given[name] = arrays.given(self._buffers[position].place(*placement))
            adapter.record_taps(taps)
            start = time.perf_counter()
            returned = call(self._served, given, case.attributes, taps)
            arrays.finish()
            result.seconds = time.perf_counter() - start
            self._look_for_damage(case, result)
            self._keep(returned, output_names(self._served.block, case.attributes), result)
        except (Unsupported, NotImplementedError) as error:
            result = _failed("unsupported", first_line(error))
        except MemoryError:
            result = _failed("threw", "out of memory")
        except BaseException as error:
            kind = "device_error" if arrays.is_device_error(error) else "threw"
            text = f"{type(error).__name__}: {first_line(error)}"
            place = place_of(error, self._file)
            result = _failed(kind, f"{text} ({place[:-2]})" if place else text)
        finally:
            adapter.record_taps(None)
        for buffer in self._buffers:
            buffer.release_large()
        return result

    def _look_for_damage(self, case, result):
        for (name, *_), buffer in zip(case.inputs, self._buffers):
            damage = buffer.damage()
            if damage == "modified":
                result.modified = result.modified or name
            elif damage:
                result.overran = result.overran or f"{damage} input {name}"
        for value, shown in self._handed_out:
            if not result.modified and self._arrays.show(value) != shown:
                result.modified = "earlier output"

    def _keep(self, returned, names, result):
        self._handed_out = []
        for position, (name, value) in enumerate(_named(returned, names)):
            try:
                shown = self._arrays.show(value)
            except NotShown as what:
                result.notes.append(f"{name or f'extra_{position}'} is {what}")
                continue
            result.outputs.append((name or f"extra_{position}", *shown))
            place = self._arrays.location(value)
            # The next call's inputs are written over this one's.
            if place is not None and not any([buffer.begin <= place < buffer.end for buffer in self._buffers]):
                self._handed_out.append((value, shown))

    def _look_for_unwritten(self, case, result):
        """An element that still holds what memory is filled with is unwritten if it follows when that changes."""
        suspects = self._poisoned(result, poison.FIRST)
        if not suspects:
            return
        poison.fill_with(poison.SECOND)
        try:
            again = self._call(case)
        finally:
            poison.fill_with(poison.FIRST)
        confirmed = self._poisoned(again, poison.SECOND)
        for name, element in suspects.items():
            if name in confirmed:
                result.unwritten_output, result.first_unwritten = name, element
                return

    @staticmethod
    def _poisoned(result, byte):
        found = {}
        for name, dtype, _, data in result.outputs:
            element = poison.first_unwritten(data, ELEMENT_BYTES[dtype], byte)
            if element >= 0:
                found[name] = element
        return found


class Taps:
    """Takes what a tapped call shows. A name that is shown again is numbered: fc1#0, fc1#1, ..."""

    def __init__(self, arrays, send_ahead):
        self._arrays, self._send_ahead = arrays, send_ahead
        self._counts = {}
        self._stages = []
        self._bytes = 0

    def __call__(self, name, value):
        count = self._counts.get(name, 0)
        # A value that is shown once is known by its name, and by its number where the block numbers it.
        names = [f"{name}#{count}"] + ([name] if count == 0 else [])
        if self.show(names, value):
            self._counts[name] = count + 1

    def show(self, names, value):
        """Under these names and no other. Whether it can be shown."""
        try:
            shown = self._arrays.show(value)
        except NotShown:
            return False
        self._stages += [(name, *shown) for name in names]
        self._bytes += len(shown[2])
        if self._bytes >= _SENT_AHEAD:
            self._send_ahead(self.take())
            self._bytes = 0
        return True

    def take(self):
        stages, self._stages = self._stages, []
        return stages


def _named(returned, names):
    """(name, value) in the block's order; the name is None of what the block does not know."""
    if isinstance(returned, dict):
        ordered = [(name, returned[name]) for name in names if name in returned]
        return ordered + [(name, value) for name, value in returned.items() if name not in names]
    values = returned if isinstance(returned, (tuple, list)) else [returned]
    return [(names[i] if i < len(names) else None, value) for i, value in enumerate(values)]


def first_line(error):
    return (str(error).strip() or type(error).__name__).split("\n")[0][:2000]
