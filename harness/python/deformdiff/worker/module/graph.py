"""A module's graph as its format's reader gives it to the audit and to the taps: operators in LibTorch's words.

An operand is a Value, a number, a text, None, or a list of these. `view(x, [4, n])` of an ONNX model is its Reshape.
"""

LONGEST_LINE = 300


class Value:
    """What a node makes, or what the graph is given. `role`: "input", "parameter", "constant", or "" of a node's."""

    def __init__(self, name, role="", constant=None, integer=False):
        self.name = name
        self.role = role
        self.constant = constant  # its array, where the graph holds it
        self.integer = integer  # a number that says where to look, or how large to be
        self.producer = None
        self.users = []  # (node, the operand's place)


class Node:
    """`calls`: the calls of submodules in which it lies, the outermost first, each (path, key): another call of the
    same submodule has another key; None where the file does not say. `views`: pairs (output, the Value whose memory it
    shares); `writes`: Values that it writes into. `foreign`: an operator that is not the format's own."""

    def __init__(self, op, operands, outputs, calls=None, line="", views=(), writes=(), foreign=False):
        self.op = op
        self.operands = list(operands)
        self.outputs = list(outputs)
        self.calls = None if calls is None else tuple(calls)
        self.line = line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."
        self.views = list(views)
        self.writes = list(writes)
        self.foreign = foreign
        for output in self.outputs:
            output.producer = self
        for place, operand in enumerate(self.operands):
            for value in values_in(operand):
                value.users.append((self, place))

    @property
    def scope(self):
        return self.calls[-1][0] if self.calls else ""

    def operand(self, place):
        return self.operands[place] if place < len(self.operands) else None

    def given(self):
        """All Values among its operands."""
        return [value for operand in self.operands for value in values_in(operand)]


class Graph:
    def __init__(self, inputs, nodes, outputs, constants):
        self.inputs, self.nodes, self.outputs = inputs, nodes, outputs
        self.constants = constants  # Values of the role "constant"


def values_in(operand):
    if isinstance(operand, Value):
        return [operand]
    if isinstance(operand, (list, tuple)):
        return [value for each in operand for value in values_in(each)]
    return []


def producer_of(operand):
    return operand.producer if isinstance(operand, Value) else None


def is_op(node, *names):
    return node is not None and node.op in names


def array_of(operand):
    """Its elements where the graph fixes them, else None."""
    return operand.constant if isinstance(operand, Value) else None


def integer_of(operand):
    """The integer that the graph fixes, else None."""
    if isinstance(operand, bool):
        return None
    if isinstance(operand, int):
        return operand
    array = array_of(operand)
    return int(array.reshape(-1)[0]) if array is not None and array.size == 1 and array.dtype.kind in "iu" else None


def extents_of(operand):
    """The elements of a list of integers, those that are not fixed None; None of anything else."""
    if isinstance(operand, (list, tuple)):
        return [integer_of(each) for each in operand]
    array = array_of(operand)
    if array is None or array.ndim != 1 or array.dtype.kind not in "iu":
        return None
    return [int(each) for each in array]
