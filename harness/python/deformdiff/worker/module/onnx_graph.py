"""An ONNX model's graph in the audit's words, and its parameters by the names that the module had.

Both of PyTorch's exporters keep the names of some parameters and fold others, transposed or reshaped, into constants
without a name. What the place of a node says is used: the weight of a MatMul before the bias `fc1.bias` is
`fc1.weight`.
"""

import ast
import re

import numpy
import onnx
from onnx import numpy_helper

from deformdiff.worker.module.graph import Graph, Node, Value, array_of, integer_of, is_op, producer_of

_NAMES = {
    "Softmax": "softmax",
    "Cast": "to",
    "CastLike": "to",
    "Identity": "identity",
    "Not": "logical_not",
    "And": "logical_and",
    "Or": "logical_or",
    "Range": "arange",
    "GridSample": "grid_sampler",
    "RandomNormal": "randn",
    "RandomNormalLike": "randn_like",
    "RandomUniform": "rand",
    "RandomUniformLike": "rand_like",
    "Bernoulli": "bernoulli",
    "Tile": "repeat",
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "MatMul": "matmul",
    "Gemm": "linear",
    "Conv": "conv2d",
    "ConvTranspose": "conv_transpose2d",
    "InstanceNormalization": "instance_norm",
    "GroupNormalization": "native_group_norm",
    "MaxPool": "max_pool2d",
    "AveragePool": "avg_pool2d",
}
_OWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")


class OnnxGraph:
    """`graph`; `parameters`: pairs (name, array); `unnamed`: how many constants that weights are used as have no name;
    `branches`: operators that hold inner graphs."""

    def __init__(self, model):
        self._values = {}
        self._constants = []
        self._nodes = []
        self.unnamed = 0
        self.branches = []
        places = _Places(model)
        self._known = places.parameters
        graph = model.graph
        for initializer in graph.initializer:
            self._add_constant(initializer.name, numpy_helper.to_array(initializer))
        given = {initializer.name for initializer in graph.initializer}
        inputs = [self._value(each.name, "input") for each in graph.input if each.name not in given]
        for node in graph.node:
            if node.op_type == "Constant":
                array = _constant_array(node)
                if array is not None:
                    self._add_constant(node.output[0], array)
                    continue
            self._add_node(node, places.calls(node))
        outputs = [self._value(each.name) for each in graph.output]
        self.parameters = self._name_parameters()
        constants = [value for value in self._constants if value.role == "constant"]
        self.graph = Graph(inputs, self._nodes, outputs, constants)

    def _value(self, name, role=""):
        if name not in self._values:
            self._values[name] = Value(name, role)
        return self._values[name]

    def _add_constant(self, name, array):
        value = self._value(name, "parameter" if name in self._known else "constant")
        value.constant = array
        self._constants.append(value)

    def _operand(self, name):
        return self._value(name) if name else None

    def _add_node(self, node, calls):
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        given = [self._operand(name) for name in node.input]
        op, operands = _translated(node.op_type, given, attributes)
        inner = [each for each in attributes.values() if isinstance(each, onnx.GraphProto)]
        if inner:
            self.branches.append(node.op_type)
            operands += [self._value(name) for graph in inner for name in _captured(graph) if name in self._values]
        outputs = [self._value(name) for name in node.output if name]
        line = f"{', '.join('%' + name for name in node.output)} = {node.op_type}({', '.join(node.input)})"
        foreign = node.domain not in _OWN_DOMAINS
        self._nodes.append(
            Node(f"{node.domain}::{node.op_type}" if foreign else op, operands, outputs, calls, line, foreign=foreign)
        )

    # Parameters.

    def _name_parameters(self):
        named = {name: self._values[name].constant for name in self._known if name in self._values}
        modules = {name[:at] for name in self._known for at in _dots(name)}
        whole = {
            module[:at] for module in modules for at in _dots(module)
        }  # these have parts, and no weight themselves
        for node in self._nodes:
            if node.scope and node.scope not in whole:
                self._name_weights(node, named)
        for value in self._constants:
            self.unnamed += value.role == "constant" and value.constant.size > 64 and _is_weight(value)
        return list(named.items())

    def _name_weights(self, node, named):
        def name(operand, what, array):
            if not isinstance(operand, Value) or operand.constant is None or operand.role == "parameter":
                return
            operand.role = "parameter"
            named.setdefault(f"{node.scope}.{what}", array)

        weight = node.operand(1)
        array = array_of(weight)
        if node.op == "matmul" and array is not None and array.ndim == 2:
            name(weight, "weight", numpy.ascontiguousarray(array.T))
        elif node.op in ("linear", "conv2d") and array is not None:
            name(weight, "weight", array)
            name(node.operand(2), "bias", array_of(node.operand(2)))
        elif node.op == "layer_norm" and array_of(node.operand(2)) is not None:
            name(node.operand(2), "weight", array_of(node.operand(2)))
            name(node.operand(3), "bias", array_of(node.operand(3)))
        elif node.op in ("mul", "add") and _follows_instance_norm(node):
            for operand in node.operands:
                if array_of(operand) is not None:
                    name(operand, "weight" if node.op == "mul" else "bias", array_of(operand).reshape(-1))


def _is_weight(value):
    return any(user.op in ("matmul", "linear", "conv2d") and place == 1 for user, place in value.users)


def _follows_instance_norm(node):
    """A group norm is an instance norm of reshaped groups, then a product and a sum."""
    for _ in range(3):
        node = next((producer_of(each) for each in node.operands if producer_of(each) is not None), None)
        if is_op(node, "instance_norm"):
            return True
        if not is_op(node, "view", "mul"):
            return False
    return False


def _constant_array(node):
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if attribute.name == "value":
            return numpy_helper.to_array(value)
        if attribute.name in ("value_int", "value_ints"):
            return numpy.array(value, numpy.int64)
        if attribute.name in ("value_float", "value_floats"):
            return numpy.array(value, numpy.float32)
    return None


def _captured(graph):
    """Names that the nodes of an inner graph take."""
    names = []
    for node in graph.node:
        names += list(node.input)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                names += _captured(attribute.g)
    return names


# Operators.


def _translated(op_type, given, attributes):
    def operand(place):
        return given[place] if place < len(given) else None

    x = operand(0)
    if op_type == "Reshape":
        return "view", [x, _extents(operand(1), None if attributes.get("allowzero") else x)]
    if op_type in ("Expand", "Tile"):
        return ("expand" if op_type == "Expand" else "repeat"), [x, _extents(operand(1))]
    if op_type == "Shape":
        first, last = attributes.get("start", 0), attributes.get("end")
        return ("size", [x, first]) if last == first + 1 else ("shape", [x])
    if op_type == "Gather":
        index = integer_of(operand(1))
        axis = attributes.get("axis", 0)
        if index is not None and array_of(operand(1)).ndim == 0:
            shaped = producer_of(x)
            return ("size", [shaped.operand(0), index]) if is_op(shaped, "shape") else ("select", [x, axis, index])
        return "index_select", [x, axis, operand(1)]
    if op_type == "Slice":
        return "slice", _slice(given, attributes)
    if op_type == "Split":
        sizes = _extents(operand(1)) if operand(1) is not None else attributes.get("split")
        return "split_with_sizes", [x, sizes, attributes.get("axis", 0)]
    if op_type in ("Unsqueeze", "Squeeze"):
        axes = attributes.get("axes") or array_of(operand(1))
        one = axes is not None and len(axes) == 1
        return op_type.lower(), [x, int(axes[0]) if one else operand(1)]
    if op_type == "Transpose":
        return "permute", [x, list(attributes.get("perm", []))]
    if op_type == "Concat":
        return "cat", [given, attributes.get("axis", 0)]
    if op_type == "LayerNormalization":
        return "layer_norm", [x, None, operand(1), operand(2)]
    if op_type == "BatchNormalization":
        return "batch_norm", [*given, bool(attributes.get("training_mode", 0))]
    if op_type == "ConstantOfShape":
        return "full", [_extents(x)]
    if op_type == "Dropout":
        training = array_of(operand(2))
        return "dropout", [x, array_of(operand(1)), training is not None and bool(training)]
    if op_type in ("Resize", "Upsample"):
        sizes = _extents(operand(3))
        return "upsample_bilinear2d", [x, sizes[-2:] if isinstance(sizes, list) else None, operand(2), operand(3)]
    return _NAMES.get(op_type, op_type.lower()), list(given)


def _slice(given, attributes):
    """[x, axis, first, last], or as it is where it takes several axes."""
    x = given[0]
    if "starts" in attributes:
        starts, ends = attributes["starts"], attributes["ends"]
        axes = attributes.get("axes", list(range(len(starts))))
        return [x, axes[0], starts[0], ends[0]] if len(axes) == 1 else [x, None, list(starts), list(ends)]
    axis = 0 if len(given) < 4 or given[3] is None else integer_of(given[3])
    first, last = integer_of(given[1]), integer_of(given[2])
    return [x, axis, given[1] if first is None else first, given[2] if last is None else last]


def _extents(operand, source=None):
    """A list of what is known of each element, or the operand itself where not even their number is. `source`: the
    tensor whose extents zeros stand for."""
    elements = _elements(operand)
    if elements is None:
        return operand
    if source is None:
        return elements
    return [_size_of(source, i) if each == 0 and type(each) is int else each for i, each in enumerate(elements)]


def _size_of(source, axis):
    value = Value(f"{source.name}.size({axis})", integer=True)
    Node("size", [source, axis], [value])
    source.users.pop()  # it is no node of the graph
    return value


def _elements(operand):
    array = array_of(operand)
    if array is not None:
        return [int(each) for each in array.reshape(-1)] if array.dtype.kind in "iu" else None
    node = producer_of(operand)
    if is_op(node, "cat"):
        parts = [_elements(each) for each in node.operand(0)]
        return None if None in parts else [each for part in parts for each in part]
    if is_op(node, "unsqueeze"):
        return [_element(node.operand(0))]
    if is_op(node, "to", "identity"):
        return _elements(node.operand(0))
    if is_op(node, "view"):
        return [_element(node.operand(0))] if node.operand(1) in ([1], [-1]) else None
    if is_op(node, "size"):
        return [operand]
    if is_op(node, "slice") and is_op(producer_of(node.operand(0)), "shape"):
        first, last = integer_of(node.operand(2)), integer_of(node.operand(3))
        if first is None or last is None or not 0 <= first <= last < 16:
            return None
        shaped = producer_of(node.operand(0)).operand(0)
        return [_size_of(shaped, axis) for axis in range(first, last)]
    return None


def _element(operand):
    known = integer_of(operand)
    node = producer_of(operand)
    while is_op(node, "to", "identity"):
        operand = node.operand(0)
        node = producer_of(operand)
    return operand if known is None else known


# Where nodes belong.


class _Places:
    """Which submodule's call a node is part of, and the parameters that have kept their names."""

    def __init__(self, model):
        self.parameters = {
            each.name for each in model.graph.initializer if _is_qualified(each.name) and not _is_lifted(each.name)
        }
        self._modules = {name[:at] for name in self.parameters for at in _dots(name)}
        self._producers = {output: node for node in model.graph.node for output in node.output}
        self._users = {}
        for node in model.graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._owners = {id(node): owner for node in model.graph.node for owner in [self._owner(node)] if owner}
        self._paths = {}  # of a scope as nodes' names have it, all that modules' names suggest
        for node in model.graph.node:
            raw, owner = _raw_scope(node), self._owners.get(id(node))
            if raw and owner:
                self._learn(_joined(raw).split("."), owner.split("."))

    def _learn(self, scope, path):
        while scope and path and path[-1] in (scope[-1], _without_number(scope[-1])):
            self._paths.setdefault(".".join(scope), set()).add(".".join(path))
            scope, path = scope[:-1], path[:-1]

    def _path_of(self, scope):
        """As far from the outside as its beginning is known, and as its own words go on."""
        for end in [len(scope), *reversed(_dots(scope))]:
            known = self._paths.get(scope[:end], ())
            if scope[:end] not in self._modules and len(known) == 1:
                return next(iter(known)) + scope[end:]
        return scope

    def calls(self, node):
        """(path, key) from the outside in; None where the file does not say."""
        scopes = _name_scopes(node)
        owner = self._owners.get(id(node))
        if scopes is not None:
            return [(path, path) for path in scopes]
        raw = _raw_scope(node)
        if raw is None:
            return [(owner, owner)] if owner else None
        found = [(self._path_of(_joined(raw[:length])), "/".join(raw[:length])) for length in range(1, len(raw) + 1)]
        # A function that a module calls with the weights of another one is that one's call.
        if owner and (not found or found[-1][0] != owner):
            found.append((owner, "/".join(raw)))
        return found

    def _owner(self, node):
        """The module whose weight or bias the node takes, or the sum behind it adds."""
        for name in node.input:
            if name in self.parameters and name.rsplit(".", 1)[-1] in ("weight", "bias"):
                return name.rsplit(".", 1)[0]
        if node.op_type == "MatMul":
            users = self._users.get(node.output[0], [])
            if len(users) == 1 and users[0].op_type == "Add":
                return self._owner(users[0])
        return None


def _dots(name):
    return [at for at, sign in enumerate(name) if sign == "."]


def _is_qualified(name):
    return "." in name and "::" not in name and not name.startswith("/")


def _is_lifted(name):
    return bool(re.match(r"(lifted_tensor|_tensor_constant|val|constant)_?\d*$", name.rsplit(".", 1)[-1]))


def _raw_scope(node):
    """ "/decoder/layers.0/fc1/MatMul" lies in (decoder, layers.0, fc1)."""
    return tuple(node.name.split("/")[1:-1]) if node.name.startswith("/") else None


def _joined(raw):
    """A list's part is named after the list again: mask_embedder/mask_embedder.0 is mask_embedder.0."""
    kept = [part for part, after in zip(raw, [*raw[1:], ""]) if not after.startswith(part + ".")]
    return ".".join(kept)


def _without_number(path):
    return re.sub(r"_\d+$", "", path)


def _name_scopes(node):
    """What the exporter over torch.export notes."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            scopes = ast.literal_eval(entry.value)[:-1]
            return [scope for scope in scopes if scope and not scope.endswith(".")]
    return None
