"""The worker's main program: says what it serves, then answers requests."""

import argparse
import faulthandler
import gc
import importlib.metadata
import json
import sys

from deformdiff import adapter
from deformdiff.adapter import AdapterError, Unsupported
from deformdiff.worker import fork_server, poison
from deformdiff.worker.arrays import arrays_of
from deformdiff.worker.channel import Channel
from deformdiff.worker.execution import Executor
from deformdiff.worker.loading import load

_PROTOCOL = "1"
#: Packages whose versions are told, where they are loaded.
_PACKAGES = (
    "numpy", "torch", "triton", "transformers", "mmcv", "deformops", "rfdetr", "libreyolo", "jax", "onnx",
    "onnxruntime", "openvino", "ml_dtypes",
)  # fmt: skip


class Case:
    def __init__(self, message, position, case):
        self.block = case["block"]
        self.attributes = case["attributes"]
        self.inputs = []
        for name in case["inputs"]:
            dtype, shape, data = message.tensor(f"{position}.{name}")
            view = case.get("view." + name)
            if view is None:
                self.inputs.append((name, dtype, shape, None, 0, data))
            else:
                self.inputs.append((name, dtype, tuple(view["shape"]), tuple(view["strides"]), view["offset"], data))


class Service:
    """The functions behind one address, as one subject that serves their blocks."""

    def __init__(self, options):
        self.name = options.subject
        self.file = options.file
        self.refusal, self.not_run, self.declaration = "", "", ""
        self._executors = {}
        try:
            served = load(options.file, options.module, options.name)
            self.declaration = _declaration(served, options.device)
            for block, each in served.items():
                kind = each.subject.arrays or ("torch" if "torch" in sys.modules else "numpy")
                arrays = arrays_of(kind, options.device or each.subject.device)
                self._executors[block] = Executor(each, arrays, options.file)
        except Unsupported as error:
            self.not_run = str(error)
            self._executors = dict.fromkeys(served)
        except (AdapterError, ImportError) as error:
            self.refusal = str(error)

    def hello(self):
        subject = described_subject(self.name, list(self._executors), self.declaration, self.not_run)
        return hello(self.refusal, [] if self.refusal else [subject])

    def answer(self, channel, message):
        answer_run(channel, message, lambda case: self._executors[case.block])


def described_subject(name, blocks, declaration, not_run=""):
    return {
        "name": name,
        "blocks": blocks,
        "declaration": declaration,
        "not_run": not_run,
        "faulty": "",
        "trigger": "",
        "expected": "",
    }


def hello(refusal, subjects):
    return {
        "message": "hello",
        "protocol": _PROTOCOL,
        "refusal": refusal,
        "environment": json.dumps(_environment()),
        "subjects": json.dumps(subjects),
    }


def answer_run(channel, message, executor_of):
    """One result a case. `executor_of` says which Executor calls it."""
    fields = message.fields
    if fields["message"] != "run":
        raise SystemExit(f"deformdiff's worker: a message {fields['message']!r} is none that it knows")
    twice, tap = fields["run_twice"] == "1", fields["tap"] == "1"
    for position, described in enumerate(json.loads(fields["cases"])):
        case = Case(message, position, described)

        def send_ahead(stages, position=position):
            channel.send(*_ahead(position, stages))

        result = executor_of(case).execute(case, twice, tap, send_ahead)
        channel.send(*_answer(position, result))


def _declaration(served, device):
    declared = {each.subject.declares for each in served.values()}
    devices = {each.subject.device for each in served.values()}
    if len(declared) > 1 or len(devices) > 1:
        raise AdapterError(
            "its functions declare different things: name one of them behind '#', or declare the same for all"
        )
    text = f"device={device or devices.pop()}"
    return "&".join(filter(None, [text, declared.pop()]))


def _environment():
    versions = {"python": sys.version.split()[0]}
    for name in _PACKAGES:
        version = _version(name) if name in sys.modules else None
        if version is not None:
            versions[name] = str(version)
    return versions


def _version(name):
    """What the package says of itself, or what it was installed as: rfdetr says nothing."""
    said = getattr(sys.modules[name], "__version__", None)
    try:
        return importlib.metadata.version(name) if said is None else said
    except importlib.metadata.PackageNotFoundError:
        return None


def _ahead(position, stages):
    fields = {
        "message": "result",
        "position": str(position),
        "kind": "returned",
        "text": "",
        "seconds": "0",
        "overran": "",
        "modified": "",
        "unwritten_output": "",
        "first_unwritten": "-1",
        "ran_twice": "0",
        "repeated_bits": "1",
        "outputs": "[]",
        "stages": json.dumps([name for name, *_ in stages]),
        "more": "1",
    }
    return fields, [("stage." + name, *rest) for name, *rest in stages]


def _answer(position, result):
    fields = {
        "message": "result",
        "position": str(position),
        "kind": result.kind,
        "text": "; ".join(result.notes),
        "seconds": repr(result.seconds),
        "overran": result.overran,
        "modified": result.modified,
        "unwritten_output": result.unwritten_output,
        "first_unwritten": str(result.first_unwritten),
        "ran_twice": str(int(result.ran_twice)),
        "repeated_bits": str(int(result.repeated_bits)),
        "other_bits": json.dumps(result.other_bits),
        "outputs": json.dumps([name for name, *_ in result.outputs]),
        "stages": json.dumps([name for name, *_ in result.stages]),
        "more": "0",
    }
    return fields, result.outputs + [("stage." + name, *rest) for name, *rest in result.stages]


def main(words):
    poison.restart_without_cache()
    options = _parse(words)
    if options.fork_server:
        fork_server.preload(options.file, options.module)
        options = _parse(words + fork_server.serve())
    channel = Channel()
    adapter.in_worker = True
    faulthandler.enable(all_threads=False)
    _prepare_numpy()
    if options.exported:
        from deformdiff.worker.module.service import ModuleService

        service = ModuleService(options.exported)
    else:
        service = Service(options)
    if "torch" in sys.modules:
        sys.modules["torch"].set_grad_enabled(False)
    poison.fill_with(poison.FIRST)
    gc.freeze()  # what has been loaded stays: no collection need look at it
    channel.send(service.hello())
    while True:
        service.answer(channel, channel.receive())


def _parse(words):
    parser = argparse.ArgumentParser(description="Runs an implementation for deformdiff, which starts it.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--file")
    source.add_argument("--module")
    source.add_argument("--exported", help="a torch.export package or an ONNX model")
    parser.add_argument("--name")
    parser.add_argument("--subject")
    parser.add_argument("--device")
    parser.add_argument("--fork-server", action="store_true", help="fork for every worker that is asked for")
    return parser.parse_args(words)


def _prepare_numpy():
    try:
        import numpy
    except ImportError:
        return
    poison.wrap_numpy(numpy)
