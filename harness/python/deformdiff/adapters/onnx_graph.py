"""The operator as an ONNX model: a GridSample of each level, multiplied by the weights and added up.

Used by the adapters of what runs such models. Sizes are constants of the model; numbers of value, sampling_loc and
attn_weight are its inputs.
"""

import collections

from onnx import TensorProto, checker, helper

import deformdiff

#: The first with GridSample of float64.
OPSET = 20

_TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}


class _Graph:
    def __init__(self, floating):
        self.nodes, self.constants = [], []
        self._floating = floating

    def constant(self, values, floating=False):
        name = f"constant_{len(self.constants)}"
        dims = [len(values)] if isinstance(values, list) else []
        kind = self._floating if floating else TensorProto.INT64
        flat = values if isinstance(values, list) else [values]
        self.constants.append(helper.make_tensor(name, kind, dims, flat))
        return name

    def add(self, operator, *inputs, **attributes):
        name = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def part(self, x, axis, begin, end):
        bounds = [self.constant([number]) for number in (begin, end, axis)]
        return self.add("Slice", x, *bounds)

    def shaped(self, x, *shape):
        return self.add("Reshape", x, self.constant(list(shape)))


#: What a model is made for: it can be a key.
Sizes = collections.namedtuple("Sizes", "dtype value_shape location_shape levels starts")


def sizes_of(value, spatial_shapes, level_start_index, sampling_loc):
    levels = tuple([(height, width) for height, width in spatial_shapes.tolist()])
    return Sizes(value.dtype.name, value.shape, sampling_loc.shape, levels, tuple(level_start_index.tolist()))


def model_of(sizes):
    """The checked model. Raises Unsupported for empty arrays, whose sizes Reshape cannot tell."""
    kind, value_shape, location_shape = _TYPES[sizes.dtype], list(sizes.value_shape), list(sizes.location_shape)
    batch, _, heads, channels = value_shape
    queries, points = location_shape[1], location_shape[4]
    if 0 in (*value_shape, *location_shape):
        raise deformdiff.Unsupported("empty tensors")
    graph = _Graph(kind)
    two, one = graph.constant(2, floating=True), graph.constant(1, floating=True)
    total = None
    for level, ((height, width), start) in enumerate(zip(sizes.levels, sizes.starts)):
        values = graph.add("Transpose", graph.part("value", 1, start, start + height * width), perm=[0, 2, 3, 1])
        values = graph.shaped(values, batch * heads, channels, height, width)
        places = graph.shaped(graph.part("sampling_loc", 3, level, level + 1), batch, queries, heads, points, 2)
        places = graph.shaped(graph.add("Transpose", places, perm=[0, 2, 1, 3, 4]), batch * heads, queries, points, 2)
        grid = graph.add("Sub", graph.add("Mul", places, two), one)
        samples = graph.add("GridSample", values, grid, mode="linear", padding_mode="zeros", align_corners=0)
        weights = graph.shaped(graph.part("attn_weight", 3, level, level + 1), batch, queries, heads, points)
        weights = graph.shaped(graph.add("Transpose", weights, perm=[0, 2, 1, 3]), batch * heads, 1, queries, points)
        summed = graph.add("ReduceSum", graph.add("Mul", samples, weights), graph.constant([-1]), keepdims=0)
        total = summed if total is None else graph.add("Add", total, summed)
    output = graph.add("Transpose", graph.shaped(total, batch, heads * channels, queries), perm=[0, 2, 1])
    graph.nodes.append(helper.make_node("Identity", [output], ["output"]))

    def described(name, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    inputs = [
        described("value", value_shape),
        described("sampling_loc", location_shape),
        described("attn_weight", location_shape[:-1]),
    ]
    outputs = [described("output", [batch, queries, heads * channels])]
    built = helper.make_graph(graph.nodes, "ms_deform_attn", inputs, outputs, graph.constants)
    whole = helper.make_model(built, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    checker.check_model(whole)
    return whole
