"""What each value of a graph is made of, and along which of its axes the batch lies."""

from dataclasses import dataclass, fields
from typing import Any

from deformdiff.worker.module.graph import Value, extents_of, integer_of, is_op, producer_of, values_in

FILLING = frozenset(
    "zeros ones empty full zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full "
    "empty_strided scalar_tensor".split()
)
_GENERATING = frozenset("arange range linspace logspace eye rand randn rand_like randn_like randint randperm".split())
_ASKING = frozenset("size dim len numel sym_size sym_numel sym_stride sym_storage_offset shape".split())
#: Of these only the first operand is computed from: the others say where, or how large.
_BY_EXTENTS = frozenset(
    "view reshape _unsafe_view expand slice select narrow split split_with_sizes chunk repeat tile unsqueeze squeeze "
    "permute transpose flatten unflatten upsample_bilinear2d upsample_nearest2d upsample_bicubic2d pad sum mean "
    "constant_pad_nd as_strided unbind movedim".split()
)


@dataclass
class Origins:
    """What a value depends on. Where in doubt, it does."""

    data: bool = False  # on the values of an input
    extents: bool = False  # on the extents of an input, or on its values by way of extents
    parameter: bool = False  # on a parameter or buffer
    generated: bool = False  # on arange, linspace, random numbers
    filled: Any = None  # on a Value that zeros, empty, full or the like made
    constant: Any = None  # on a constant of more than one element

    def add(self, other):
        changed = False
        for field in fields(self):
            theirs = getattr(other, field.name)
            if theirs and not getattr(self, field.name):
                setattr(self, field.name, theirs)
                changed = True
        return changed

    def as_extents(self):
        return Origins(extents=self.data or self.extents)


class Dataflow:
    def __init__(self, graph, batch_first):
        """`batch_first`: of the graph's inputs, those whose first axis is known to be the batch."""
        self._parents = {}
        self._origins = {}
        self._axes = {id(value): 0 for value in batch_first}
        for value in graph.inputs:
            self.of(value).data = True
        for node in graph.nodes:
            for output, source in node.views:
                self._parents[self._root(output)] = self._root(source)
        while self._pass(graph):
            pass
        for node in graph.nodes:
            axis = _batch_after(self, node)
            if axis is not None:
                self._axes.update((id(output), axis) for output in node.outputs if not output.integer)

    def of(self, operand):
        if not isinstance(operand, Value):
            joined = Origins()
            for value in values_in(operand):
                joined.add(self.of(value))
            return joined
        root = self._root(operand)
        if root not in self._origins:
            constant = operand if operand.role == "constant" and operand.constant.size > 1 else None
            self._origins[root] = Origins(parameter=operand.role == "parameter", constant=constant)
        return self._origins[root]

    def batch_axis(self, operand):
        """Where it is known: from inputs and convolutions on, through operators that keep it or move it."""
        return self._axes.get(id(operand))

    def _root(self, value):
        at = id(value)
        while self._parents.get(at, at) != at:
            at = self._parents[at]
        return at

    def _pass(self, graph):
        changed = False
        for node in graph.nodes:
            made = self._made(node)
            for output in node.outputs:
                changed |= self.of(output).add(made.as_extents() if output.integer else made)
            for written in node.writes:
                changed |= self.of(written).add(self._joined(node))
        return changed

    def _made(self, node):
        if node.op in FILLING or node.op in _GENERATING:
            made = self.of(node.operands).as_extents()
            if node.op in FILLING:
                made.filled = node.outputs[0]
                made.data = any(self.of(value).data for value in node.given() if not value.integer and _is_fill(node))
            else:
                made.generated = True
            return made
        if node.op in _ASKING:
            return self.of(node.operands).as_extents()
        return self._joined(node)

    def _joined(self, node):
        made = Origins()
        for place, operand in enumerate(node.operands):
            for value in values_in(operand):
                by_extents = value.integer or (place > 0 and node.op in _BY_EXTENTS)
                made.add(self.of(value).as_extents() if by_extents else self.of(value))
        return made


def _is_fill(node):
    """A tensor may be filled with what was computed."""
    return node.op in ("full", "full_like", "new_full", "scalar_tensor")


_TO_FIRST = frozenset(
    "_convolution convolution conv2d group_norm native_group_norm grid_sampler grid_sampler_2d upsample_bilinear2d "
    "upsample_nearest2d max_pool2d avg_pool2d adaptive_avg_pool2d instance_norm".split()
)
_KEEPING = frozenset(
    "relu gelu sigmoid tanh softmax _softmax log_softmax dropout to _to_copy contiguous detach clone layer_norm "
    "native_layer_norm masked_fill clamp exp neg linear alias type_as silu leaky_relu elu abs pow sqrt batch_norm "
    "expand slice narrow split chunk split_with_sizes getitem bitwise_not logical_not erf floor round".split()
)
_JOINING = frozenset("add sub mul div rsub where matmul minimum maximum".split())


def _batch_after(flow, node):
    first = node.operand(0)
    axis = flow.batch_axis(first)
    op = node.op
    if op in _TO_FIRST:
        return 0
    if op in _KEEPING:
        return axis if not isinstance(first, (list, tuple)) else None
    if op in _JOINING:
        return _joined_axis(flow, values_in(node.operands))
    if op in ("cat", "stack"):
        axis = _joined_axis(flow, values_in(first))
        return _with(axis, integer_of(node.operand(1)) or 0) if op == "stack" else axis
    if axis is None and not is_op(producer_of(node.operand(1)), "shape"):
        return None
    if op in ("select", "squeeze", "unbind"):
        removed = integer_of(node.operand(1))
        if removed is None or removed < 0 or removed == axis:
            return None
        return axis - 1 if removed < axis else axis
    if op == "unsqueeze":
        return _with(axis, integer_of(node.operand(1)))
    if op in ("transpose", "swapaxes"):
        return _transposed(axis, integer_of(node.operand(1)), integer_of(node.operand(2)))
    if op == "permute":
        order = extents_of(node.operand(1))
        return order.index(axis) if order and axis in order else None
    if op in ("flatten", "unflatten"):
        place = integer_of(node.operand(1))
        return axis if place is not None and (place > axis or (op == "unflatten" and place == -1)) else None
    if op in ("view", "reshape", "_unsafe_view"):
        sizes = node.operand(1)
        shaped = producer_of(sizes)
        if is_op(shaped, "shape"):
            return flow.batch_axis(shaped.operand(0))
        is_batch = isinstance(sizes, (list, tuple)) and sizes and _is_batch_size(flow, sizes[0])
        return 0 if axis == 0 and is_batch else None
    return None


def _joined_axis(flow, values):
    """Of operands that are broadcast against one another."""
    axes = {flow.batch_axis(value) for value in values} - {None}
    return axes.pop() if len(axes) == 1 else None


def _with(axis, place):
    if axis is None or place is None:
        return None
    return axis + 1 if 0 <= place <= axis else axis


def _transposed(axis, a, b):
    if a is None or b is None:
        return None
    if a < 0 or b < 0:
        # Counted from the end: the last two axes are not the batch's, which is first.
        return axis if a < 0 and b < 0 and axis == 0 else None
    return {a: b, b: a}.get(axis, axis)


def _is_batch_size(flow, extent):
    node = producer_of(extent)
    if not is_op(node, "size", "sym_size"):
        return False
    axis = flow.batch_axis(node.operand(0))
    return axis is not None and integer_of(node.operand(1)) == axis
