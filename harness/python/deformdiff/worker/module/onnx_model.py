"""ONNX models (.onnx): described, and run by ONNX Runtime, with every value on the way as an output where asked."""

import functools

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from deformdiff.adapter import AdapterError, Unsupported
from deformdiff.worker.execution import first_line
from deformdiff.worker.module.audit import audit
from deformdiff.worker.module.onnx_graph import OnnxGraph
from deformdiff.worker.module.places import Places

_FLOATING = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


class OnnxModel:
    """A model on the CPU. `modes`: how it can be run, by the names of the worker's subjects."""

    arrays = "numpy"
    #: Measured on ONNX Runtime 1.32 over float32 arguments that do not overflow, and rounded up.
    declaration = (
        "device=cpu&calls=one_at_a_time&arithmetic=operations&"
        "exp_ulps=2&tanh_ulps=5&sin_cos_ulps=3.5&pow_ulps=1&erf_ulps=8"
    )

    def __init__(self, file):
        self._file = file
        self._model = _load(file)
        self._inputs = _inputs_of(self._model)
        self._read = OnnxGraph(self._model)
        self._places = Places(self._read.graph)
        self._sessions = {}
        self.modes = {"module/interpreter": self._plain, "module/executor": self._best, "module/float64": self._double}
        self._start("executor", self._model, optimised=True)

    # What it is.

    def describe(self):
        fixed = [f"{name} {shape}" for name, shape, _ in self._inputs if None not in shape]
        all_fixed = bool(fixed) and len(fixed) == len(self._inputs)
        notes = []
        if all_fixed:
            notes.append(f"the model takes these sizes alone, and refuses others: {', '.join(fixed)}")
        if self._read.unnamed:
            notes.append(
                f"{self._read.unnamed} weights were folded into constants without a name by the exporter: where they "
                f"are missed, give --params FILE.safetensors, or export with do_constant_folding=False"
            )
        notes += [
            f"the graph branches by {op}: what is inside was not audited" for op in sorted(set(self._read.branches))
        ]
        audited = [(name, [extent or 0 for extent in shape], floating) for name, shape, floating in self._inputs]
        return {
            "parameters": self._read.parameters,
            "buffers": [],
            "inputs": [
                {
                    "name": name,
                    "type": "Tensor",
                    "tensor": True,
                    **({"traced": shape} if shape and None not in shape else {}),
                }
                for name, shape, _ in self._inputs
            ],
            "outputs": [f"[{i}]" for i in range(len(self._model.graph.output))],
            "returns": "list",
            "training": False,
            "scripted": bool(self._read.branches),
            "audit": audit(self._read.graph, audited, all_fixed, bool(self._read.parameters)),
            "notes": notes,
            "unread": [],
        }

    # How it runs.

    def run(self, mode, arrays, show):
        return self.modes[mode](arrays, show)

    @staticmethod
    def whole_number(number):
        return numpy.int64(number).reshape(())

    def _plain(self, arrays, show):
        return self._run("plain", self._model, arrays, show)

    def _best(self, arrays, show):
        return self._call(self._sessions["executor"], arrays)

    def _double(self, arrays, show):
        wide = [each.astype(numpy.float64) if each.dtype.kind == "f" else each for each in arrays]
        try:
            return self._run("double", self._wide, wide, show)
        except Exception as error:
            raise Unsupported(f"in double: {first_line(error)}") from error

    @functools.cached_property
    def _wide(self):
        return _widened(self._model)

    def _run(self, name, model, arrays, show):
        if show is None:
            if name not in self._sessions:
                self._start(name, model)
            return self._call(self._sessions[name], arrays)
        tapped = f"{name}.tapped"
        if tapped not in self._sessions:
            self._start(tapped, _tapped(model, self._shown()))
        returned = self._call(self._sessions[tapped], arrays)
        count = len(model.graph.output)
        values = {each.name: value for each, value in zip(self._sessions[tapped].get_outputs(), returned)}
        values.update((each.name, array) for each, array in zip(self._read.graph.inputs, arrays))

        def value_of(value):
            return values.get(value.name, value.constant)

        for i in range(len(self._read.graph.nodes)):
            self._places.show_before(i, value_of, show)
            self._places.show_after(i, value_of, show)
        return returned[:count]

    def _shown(self):
        graph = self._read.graph
        return [value.name for node in graph.nodes for value in node.outputs]

    def _start(self, name, model, optimised=False):
        options = onnxruntime.SessionOptions()
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        source = self._file if model is self._model else model.SerializeToString()
        try:
            self._sessions[name] = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            if name != "executor":
                raise
            raise AdapterError(
                f"{self._file}: ONNX Runtime {onnxruntime.__version__} cannot load it: {first_line(error)}"
            ) from error

    def _call(self, session, arrays):
        for (name, shape, _), array in zip(self._inputs, arrays):
            fits = len(shape) == array.ndim and all(a in (None, b) for a, b in zip(shape, array.shape))
            if not fits:
                wanted = [extent if extent is not None else "?" for extent in shape]
                raise Unsupported(f"the model declares {name} as {wanted}: it refuses {list(array.shape)}")
        return session.run(None, dict(zip((name for name, *_ in self._inputs), arrays)))


def _load(file):
    try:
        model = onnx.load(file)
        if not model.graph.node:
            raise ValueError("it holds no graph")
        if model.functions:
            from onnx import inliner

            model = inliner.inline_local_functions(model)
        return model
    except Exception as error:
        raise AdapterError(
            f"{file}: is no ONNX model that onnx {onnx.__version__} reads: {first_line(error)}: export it again"
        ) from error


def _inputs_of(model):
    """(name, extents or None of each, whether it is floating) of each input."""
    held = {each.name for each in model.graph.initializer}
    inputs = []
    for each in model.graph.input:
        if each.name in held:
            continue
        tensor = each.type.tensor_type
        shape = [extent.dim_value if extent.HasField("dim_value") else None for extent in tensor.shape.dim]
        inputs.append((each.name, shape, tensor.elem_type in _FLOATING))
    return inputs


def _tapped(model, names):
    """The same with these values as outputs behind its own."""
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    returned = {each.name for each in tapped.graph.output}
    for name in names:
        if name not in returned:
            tapped.graph.output.append(onnx.ValueInfoProto(name=name))
    return tapped


def _widened(model):
    """The same graph in double: every number in it, and every type that it asks for."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    del wide.graph.value_info[:]
    for each in wide.graph.initializer:
        each.CopyFrom(_wide_tensor(each))
    for each in [*wide.graph.input, *wide.graph.output]:
        if each.type.tensor_type.elem_type == TensorProto.FLOAT:
            each.type.tensor_type.elem_type = TensorProto.DOUBLE
    nodes = []
    for node in wide.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                attribute.t.CopyFrom(_wide_tensor(attribute.t))
            elif attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
        if node.op_type == "Resize" and len(node.input) > 2 and node.input[2]:
            # Its scales are float32 always.
            narrow = node.input[2] + ".float32"
            nodes.append(helper.make_node("Cast", [node.input[2]], [narrow], to=TensorProto.FLOAT))
            node.input[2] = narrow
        nodes.append(node)
    del wide.graph.node[:]
    wide.graph.node.extend(nodes)
    return wide


def _wide_tensor(tensor):
    if tensor.data_type != TensorProto.FLOAT:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(numpy.float64), tensor.name)
