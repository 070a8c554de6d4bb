"""Serves an exported module: what it is, and how it can be run, each way a subject for cases of the block opaque."""

import json
import os
import sys

from deformdiff.adapter import AdapterError
from deformdiff.worker.arrays import NotShown, arrays_of
from deformdiff.worker.blocks import OPAQUE
from deformdiff.worker.execution import Executor
from deformdiff.worker.service import answer_run, described_subject, hello

_TAP_BYTES = 2 << 30  # more is not kept of one run


class ModuleService:
    def __init__(self, file):
        self.refusal = ""
        self._executors = {}
        try:
            self._module = _open(file)
        except AdapterError as error:
            self.refusal = str(error)
            return
        self._arrays = arrays_of(self._module.arrays, "cpu")
        for mode in self._module.modes:
            self._executors[mode] = Executor(_Mode(self._module, mode), self._arrays, file)

    def hello(self):
        subjects = [described_subject(mode, [OPAQUE], self._module.declaration) for mode in self._executors]
        return hello(self.refusal, subjects)

    def answer(self, channel, message):
        if message.fields["message"] == "describe":
            return channel.send(*self._description())
        return answer_run(channel, message, lambda _: self._executors[message.fields["subject"]])

    def _description(self):
        described = self._module.describe()
        notes = list(described["notes"])
        fields, tensors = {"message": "description"}, []
        for kind, prefix in (("parameters", "parameter."), ("buffers", "buffer.")):
            shown = []
            for name, value in described[kind]:
                try:
                    tensors.append((prefix + name, *self._arrays.show(value)))
                    shown.append(name)
                except NotShown as what:
                    notes.append(f"{name} is not shown: it is {what}")
            fields[kind] = json.dumps(shown)
        for name in ("inputs", "outputs", "audit", "unread"):
            fields[name] = json.dumps(described[name])
        for name in ("training", "scripted"):
            fields[name] = str(int(described[name]))
        return {**fields, "returns": described["returns"], "notes": json.dumps(notes)}, tensors


def _open(file):
    ending = os.path.splitext(file)[1]
    try:
        if ending == ".onnx":
            from deformdiff.worker.module.onnx_model import OnnxModel

            return OnnxModel(file)
        from deformdiff.worker.module.package import Package

        return Package(file)
    except ModuleNotFoundError as error:
        raise _lacks(file, error.name) from error


def _lacks(file, package):
    return AdapterError(
        f"{file}: {sys.executable} has no {package}: install it there, or name a Python that has it by "
        f"$DEFORMDIFF_PYTHON"
    )


class _Mode:
    """One way to run the module, as an Executor calls it."""

    block = OPAQUE
    autograd = False

    def __init__(self, module, mode):
        self._module, self._mode = module, mode

    def run(self, tensors, taps):
        shown = None if taps is None else _Shown(taps)
        values = self._module.run(self._mode, tensors, shown and shown.show)
        if shown and shown.left_out:
            taps.show([":cut"], self._module.whole_number(shown.left_out))
        return {f"output.{i}": value for i, value in enumerate(values)}


class _Shown:
    """Passes on what a run shows, as long as it is not too much."""

    def __init__(self, taps):
        self._taps, self._bytes_left, self.left_out = taps, _TAP_BYTES, 0

    def show(self, name, value):
        if value.nbytes > self._bytes_left:
            self.left_out += 1
            return
        self._bytes_left -= value.nbytes
        self._taps.show([name], value)
