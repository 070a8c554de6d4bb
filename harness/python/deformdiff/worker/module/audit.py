"""What a module's graph itself gives away: constants and dead ends where dataflow belongs.

Each finding is a hint: constants may be meant. The kinds and the words are those of the LibTorch worker's audit.
"""

import math

from deformdiff.worker.module.dataflow import Dataflow
from deformdiff.worker.module.graph import array_of, extents_of, integer_of, is_op, producer_of, values_in

_LARGE = 64  # elements of a constant
_TO_THE_END = 1 << 31  # where exporters mean the end of an axis they write at least about this

#: Operators with weights: the operand that they compute from, the weight, and the last parameter.
_LAYERS = {
    "linear": (0, 1, 2),
    "conv1d": (0, 1, 2),
    "conv2d": (0, 1, 2),
    "conv3d": (0, 1, 2),
    "convolution": (0, 1, 2),
    "_convolution": (0, 1, 2),
    "conv_transpose2d": (0, 1, 2),
    "addmm": (1, 2, 2),
    "matmul": (0, 1, 1),
    "mm": (0, 1, 1),
    "layer_norm": (0, 2, 3),
    "native_layer_norm": (0, 2, 3),
    "group_norm": (0, 2, 3),
    "native_group_norm": (0, 1, 2),
    "instance_norm": (0, 1, 2),
    "batch_norm": (0, 1, 4),
    "_native_batch_norm_legit_no_training": (0, 1, 4),
}
_VIEWS = frozenset(
    "unsqueeze squeeze slice detach to _to_copy contiguous clone expand alias type_as view reshape _unsafe_view repeat "
    "tile flatten flip lift_fresh_copy identity".split()
)
_RESIZES = frozenset("upsample_bilinear2d upsample_nearest2d upsample_bicubic2d".split())
_ON_MAPS = _RESIZES | {"grid_sampler", "grid_sampler_2d", "conv2d", "convolution", "max_pool2d", "avg_pool2d"}
_RANDOM = frozenset("bernoulli rand randn rand_like randn_like randint multinomial normal rrelu_with_noise".split())
_DROPOUT = frozenset("dropout feature_dropout alpha_dropout native_dropout".split())


def audit(graph, traced, fixed_sizes, has_parameters=True):
    """The findings, as `describe` has them. `traced`: (name, shape or None, floating) of the graph's inputs in order;
    `fixed_sizes`: the file itself says that it takes no other sizes than these, so those in the graph are not hidden.
    """
    return _Auditor(graph, traced, fixed_sizes, has_parameters).run()


class _Auditor:
    def __init__(self, graph, traced, fixed_sizes, has_parameters):
        self._graph = graph
        self._fixed_sizes = fixed_sizes
        self._has_parameters = has_parameters
        self._sizes = _traced_sizes(traced)
        first = [
            value
            for value, (_, shape, floating) in zip(graph.inputs, traced)
            if floating and shape is not None and len(shape) >= 3
        ]
        self._flow = Dataflow(graph, first)
        self._seen = set()
        self._findings = []

    def run(self):
        for value in self._graph.constants:
            self._check_constant(value)
        for node in self._graph.nodes:
            self._check_layer(node)
            self._check_mode(node)
            if not self._fixed_sizes:
                self._check_normaliser(node)
                self._check_operator(node)
                self._check_split(node)
                self._check_map(node)
                self._check_grid(node)
                self._check_batch(node)
        self._check_outputs()
        return self._findings

    def _add(self, kind, node, detail, line=None):
        scope = node.scope if node is not None else ""
        line = line if line is not None else node.line if node is not None else ""
        # The first of its kind in its place speaks for the others.
        key = (kind, scope, line if kind == "large_constant" or node is None else node.op)
        if node is not None and key in self._seen:
            return
        self._seen.add(key)
        self._findings.append({"kind": kind, "detail": detail, "line": line, "scope": scope})

    # Dead ends.

    def _check_outputs(self):
        for i, value in enumerate(self._graph.outputs):
            origins = self._flow.of(value)
            if not origins.data:
                alone = ", on extents alone" if origins.extents else ""
                self._add("output_ignores_inputs", value.producer, f"output.{i} depends on no input's values{alone}")

    def _check_layer(self, node):
        """Weights applied to what nobody computed."""
        layer = _layer_of(node)
        if layer is None:
            return
        weight = self._flow.of(node.operand(layer[1]))
        if weight.data or not (weight.parameter or weight.constant is not None):
            return
        origins = self._flow.of(node.operand(layer[0]))
        made_up = origins.data or origins.parameter or origins.generated or origins.constant is not None
        if made_up or origins.filled is None:
            return
        maker = origins.filled.producer
        only = ", only by extents" if origins.extents else ""
        self._add(
            "output_ignores_inputs",
            maker,
            f"what {_place(node)} computes from is made by {maker.op} and reached by no input's values{only}: what was "
            f"computed there was not recorded",
        )

    def _check_constant(self, value):
        array = value.constant
        if array.size <= _LARGE or _is_weight(value):
            return
        used = self._activation_use(value, array.dtype.kind == "b")
        # Tables that follow from sizes alone are constants where sizes are; so are weights without names.
        if not used and (self._fixed_sizes or not self._has_parameters):
            return
        detail = f"a constant of {_shape_text(array.shape)}, {array.dtype} ({array.size} elements)"
        if used:
            detail += f" is what {used}, where an activation belongs"
        size = next((self._sizes[extent] for extent in array.shape if extent > 1 and extent in self._sizes), None)
        if size:
            detail += f"; along an axis it is as long as {size} when the module was exported"
        user = value.users[0][0] if value.users else None
        self._add("large_constant", user, detail, f"%{value.name}")

    def _activation_use(self, value, boolean):
        """How a constant is used as only what was computed should be; empty if it is not."""
        for user, place in value.users:
            layer = _layer_of(user)
            if layer and place == layer[0]:
                return f"{_place(user)} computes from"
            if user.op in (
                "masked_fill",
                "where",
                "logical_not",
                "bitwise_not",
                "baddbmm",
                "scaled_dot_product_attention",
            ):
                return f"{_place(user)} is masked by"
            passes_mask = boolean and user.op in ("mul", "logical_and", "logical_or", "bitwise_and", "bitwise_or")
            passes = place == 0 and (user.op in _VIEWS or user.op in ("transpose", "permute"))
            if passes_mask or passes:
                further = self._activation_use(user.outputs[0], boolean)
                if further:
                    return further
        return ""

    # Extents.

    def _check_normaliser(self, node):
        """Pairs of whole numbers, in a product or quotient with what the inputs gave."""
        if node.op not in ("div", "mul", "true_divide", "floor_divide"):
            return
        for side in (0, 1):
            if not self._flow.of(node.operand(1 - side)).data:
                continue
            array = array_of(_behind_views(node.operand(side)))
            if array is not None and _is_pairs_of_extents(array):
                self._add(
                    "baked_shape",
                    node,
                    f"{node.op} by a constant of {_shape_text(array.shape)}: {_numbers(array)} - (width, height) pairs "
                    f"that should come from the inputs' extents",
                )

    def _check_operator(self, node):
        """Sizes of maps given to an operator that is not the format's own, beside what the inputs gave."""
        if not node.foreign or not any(self._flow.of(value).data for value in node.given()):
            return
        for operand in node.operands:
            array = array_of(_behind_views(operand))
            if array is not None and array.dtype.kind in "iu" and _is_pairs_of_extents(array):
                self._add(
                    "baked_shape",
                    node,
                    f"gives {node.op} a constant of {_shape_text(array.shape)}: {_numbers(array)} - sizes of maps that "
                    f"should come from the inputs' extents",
                )

    def _check_split(self, node):
        """Fixed pieces of an axis that is not fixed itself."""
        if node.op != "split_with_sizes" or not self._flow.of(node.operand(0)).data:
            return
        sizes, axis = extents_of(node.operand(1)), integer_of(node.operand(2) or 0)
        if not sizes or len(sizes) < 2 or axis is None or not all(map(_is_fixed, sizes)):
            return
        known = [self._sizes[size] for size in sizes if size in self._sizes]
        if len(known) != len(sizes) and not _is_open(node.operand(0), axis):
            return
        then = f", when exported {'; '.join(known)}" if known else ""
        self._add("baked_shape", node, f"splits axis {axis} into pieces of fixed sizes {sizes}{then}")

    def _check_map(self, node):
        """Maps whose height and width are fixed, and numbers of tokens."""
        if node.op in _RESIZES:
            size = extents_of(node.operand(1))
            if size and len(size) == 2 and all(map(_is_fixed, size)):
                self._add("baked_shape", node, f"resizes to a fixed size, {size}")
        if node.op in _ON_MAPS:
            self._check_map_view(node)
        if node.op in ("view", "reshape", "expand"):
            self._check_token_view(node)

    def _check_map_view(self, node):
        view = producer_of(node.operand(0))
        while is_op(view, "contiguous", "to", "_to_copy", "detach", "clone", "dropout", "relu"):
            view = producer_of(view.operand(0))
        if not is_op(view, "view", "reshape", "_unsafe_view") or not self._flow.of(view.outputs[0]).data:
            return
        extents = extents_of(view.operand(1))
        if extents and len(extents) == 4 and _is_fixed(extents[2]) and _is_fixed(extents[3]):
            self._add(
                "baked_shape",
                view,
                f"gives a map to {_place(node)} whose height and width are fixed, {extents[2]} x {extents[3]}",
            )

    def _check_token_view(self, node):
        extents = extents_of(node.operand(1))
        if not extents or not self._flow.of(node.operand(0)).data:
            return
        for axis, extent in enumerate(extents[1:], 1):
            known = self._sizes.get(extent) if extent is not None and extent >= 16 else None
            if known and not self._is_extent_of_parameter(extent):
                self._add("baked_shape", node, f"fixes axis {axis} at {extent}, when exported {known}")
                return

    def _is_extent_of_parameter(self, extent):
        if not hasattr(self, "_parameter_extents"):
            self._parameter_extents = set()
            for node in self._graph.nodes:
                for value in node.given():
                    if value.role == "parameter" and value.constant is not None:
                        self._parameter_extents.update(value.constant.shape)
        return extent in self._parameter_extents

    def _check_grid(self, node):
        if node.op not in ("meshgrid", "cartesian_prod"):
            return
        axes = values_in(node.operand(0))
        if len(axes) < 2:
            return
        for axis in axes:
            origins = self._flow.of(axis)
            if not origins.generated or origins.data or origins.extents or origins.parameter:
                return
        self._add("baked_shape", node, "makes a grid of positions whose extents are constants")

    # The batch.

    def _check_batch(self, node):
        if node.op not in (
            "slice",
            "narrow",
            "select",
            "unbind",
            "split",
            "split_with_sizes",
            "chunk",
            "view",
            "reshape",
        ):
            return
        axis = self._flow.batch_axis(node.operand(0))
        if axis is None or not self._flow.of(node.operand(0)).data:
            return
        if node.op in ("view", "reshape"):
            extents = extents_of(node.operand(1))
            if axis == 0 and extents and len(extents) >= 2 and _is_fixed(extents[0]):
                text = f"[{', '.join('?' if each is None else str(each) for each in extents)}]"
                self._add("baked_batch", node, f"fixes axis 0, the batch, at {extents[0]}: {text}")
            return
        place = 2 if node.op in ("split", "split_with_sizes", "chunk") else 1
        where = node.operand(place)
        if integer_of(0 if where is None else where) != axis:
            return
        what = _taken(node)
        if what:
            self._add(
                "baked_batch", node, f"{what} along axis {axis}, the batch, by constants: other batches need other code"
            )

    # Modes and devices.

    def _check_mode(self, node):
        if node.op in _DROPOUT and node.operand(2) is True and node.operand(1) != 0:
            self._add("training_mode", node, "drops out at random: exported in training mode")
        elif node.op == "batch_norm" and node.operand(5) is True:
            self._add("training_mode", node, "normalises by the batch's own statistics: exported in training mode")
        elif node.op in _RANDOM:
            self._add("training_mode", node, "draws random numbers")


def _traced_sizes(traced):
    """What a size may be: "2x3 of res5" for the tokens of a map, and sums of those over several maps."""
    sizes, maps = {}, []
    for name, shape, _ in traced:
        if shape is not None and len(shape) == 4:
            maps.append((shape[2] * shape[3], f"{shape[2]}x{shape[3]} of {name}"))
        elif shape is not None and len(shape) == 3:
            sizes.setdefault(shape[1], f"{shape[1]} along axis 1 of {name}")
    for first in range(len(maps)):
        tokens, words = 0, []
        for size, text in maps[first:]:
            tokens += size
            words.append(text)
            sizes.setdefault(tokens, " + ".join(words))
    return sizes


def _place(node):
    return f"{node.op} of {node.scope}" if node.scope else node.op


def _layer_of(node):
    layer = _LAYERS.get(node.op)
    return layer if layer and layer[1] < len(node.operands) else None


def _is_weight(value):
    """Used by layers alone, as their weights; or transposed first."""
    if not value.users:
        return True
    for user, place in value.users:
        if user.op in ("t", "transpose", "permute", "detach", "to", "identity") and place == 0:
            if not _is_weight(user.outputs[0]):
                return False
            continue
        layer = _layer_of(user)
        if user.op == "embedding" and place == 0:
            continue
        if not layer or not layer[1] <= place <= layer[2]:
            return False
    return True


def _behind_views(operand):
    """What `operand` is another view of: elements kept, repeated or reversed."""
    node = producer_of(operand)
    while node is not None and node.op in _VIEWS and array_of(operand) is None:
        operand = node.operand(0)
        node = producer_of(operand)
    return operand


def _is_fixed(extent):
    return extent is not None and extent >= 1


def _is_open(operand, axis):
    """Whether the extent of `axis` is computed, by what the view behind the value says."""
    node = producer_of(operand)
    while is_op(node, "masked_fill", "contiguous", "slice", "to", "dropout", "where", "mul"):
        node = producer_of(node.operand(0))
    if axis < 0 or not is_op(node, "view", "reshape"):
        return False
    extents = extents_of(node.operand(1))
    return extents is not None and axis < len(extents) and extents[axis] is None


def _is_pairs_of_extents(array):
    if not 2 <= array.size <= _LARGE or array.ndim < 1 or array.shape[-1] != 2 or array.dtype.kind not in "iuf":
        return False
    numbers = [float(each) for each in array.reshape(-1)]
    return all(1 <= each < 1e6 and math.floor(each) == each for each in numbers) and any(each > 1 for each in numbers)


def _numbers(array):
    return ", ".join(str(int(each)) for each in array.reshape(-1))


def _shape_text(shape):
    return f"[{', '.join(map(str, shape))}]"


def _taken(node):
    if node.op == "slice":
        first, last = integer_of(node.operand(2)), integer_of(node.operand(3))
        to_end = last is None or last >= _TO_THE_END
        if first in (None, 0) and to_end:
            return ""
        return f"takes the slice [{'' if first is None else first}:{'' if to_end else last}]"
    if node.op == "narrow":
        first, length = integer_of(node.operand(2)), integer_of(node.operand(3))
        return f"takes the slice [{first}:{first + length}]" if first is not None and length is not None else ""
    if node.op == "select":
        index = integer_of(node.operand(2))
        return "" if index is None else f"takes element {index}"
    pieces = len(node.outputs) if len(node.outputs) > 1 else len(node.outputs[0].users)
    return f"unpacks {pieces} elements"
