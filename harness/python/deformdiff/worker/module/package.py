"""torch.export packages (.pt2): loaded, described, and their graph run node by node."""

import contextlib
import operator
import warnings

import torch
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument
from torch.utils import _pytree as pytree

from deformdiff.adapter import AdapterError, Unsupported
from deformdiff.worker.execution import first_line
from deformdiff.worker.module.audit import audit
from deformdiff.worker.module.graph import Graph, Node, Value
from deformdiff.worker.module.places import Places

#: What LibTorch's CPU kernels are known for, as the LibTorch worker says it of the modules that it runs.
DECLARATION = (
    "device=cpu&calls=one_at_a_time&arithmetic=operations&exp_ulps=2&tanh_ulps=1&sin_cos_ulps=3.5&pow_ulps=1&erf_ulps=8"
)
#: What the graph asserts of its own tensors' types, which are others in float64.
_TYPE_CHECKS = ("aten::_assert_tensor_metadata",)


class Package:
    """A package on the CPU. `modes`: how it can be run, by the names of the worker's subjects."""

    arrays = "torch"
    declaration = DECLARATION

    def __init__(self, file):
        self.program = _load(file)
        self._signature = self.program.graph_signature
        given = [spec for spec in self._signature.input_specs if spec.kind is InputKind.USER_INPUT]
        self._user_inputs = [spec for spec in given if isinstance(spec.arg, TensorArgument)]
        if given and not self._user_inputs:
            raise AdapterError(f"{file}: the package takes no tensor")
        with _quietly():
            self._module = self.program.module()
        self._graph, self.values = _graph_of(self.program)
        self.places = Places(self._graph)
        self.modes = {
            "module/interpreter": self._interpret,
            "module/executor": self._call_module,
            "module/float64": self._interpret_in_double,
        }

    # What it is.

    def describe(self):
        traced = [
            (spec.arg.name, self._traced_shape(i, spec), self._is_floating(spec))
            for i, spec in enumerate(self._user_inputs)
        ]
        fixed, notes = self._sizes()
        branches = self._branches()
        parameters = {name for name, _ in self.program.named_parameters()}
        tensors = list(self.program.state_dict.items())
        notes += [f"the graph branches by {name}: what is inside was not audited" for name in branches]
        return {
            "parameters": [(name, tensor) for name, tensor in tensors if name in parameters],
            "buffers": [(name, tensor) for name, tensor in tensors if name not in parameters],
            "inputs": [
                {"name": name, "type": "Tensor", "tensor": True, **({"traced": shape} if shape else {})}
                for name, shape, _ in traced
            ],
            "outputs": self._output_paths(),
            "returns": self._returns(),
            "training": False,
            "scripted": bool(branches),
            "audit": audit(self._graph, traced, fixed),
            "notes": notes,
            "unread": self._unread(parameters),
        }

    def _placeholder(self, name):
        return next(node for node in self.program.graph.nodes if node.op == "placeholder" and node.name == name)

    def _shape(self, spec):
        value = self._placeholder(spec.arg.name).meta.get("val")
        return list(value.shape) if isinstance(value, torch.Tensor) else []

    def _is_floating(self, spec):
        return self._placeholder(spec.arg.name).meta["val"].is_floating_point()

    def _traced_shape(self, place, spec):
        """Of the example with which it was exported, or as far as the graph's sizes hint at it."""
        if self.program.example_inputs is not None:
            leaves = pytree.tree_leaves(self.program.example_inputs)
            given = [each for each in leaves if isinstance(each, torch.Tensor)]
            if place < len(given):
                return list(given[place].shape)
        sizes = []
        for size in self._shape(spec):
            if isinstance(size, torch.SymInt):
                if not size.node.has_hint():
                    return None
                size = size.node.hint
            sizes.append(int(size))
        return sizes

    def _sizes(self):
        """Whether every size is fixed by the file itself, and a note on those that are."""
        shapes = [(spec.arg.name, self._shape(spec)) for spec in self._user_inputs]
        fixed = [f"{name} {list(shape)}" for name, shape in shapes if all(type(size) is int for size in shape)]
        all_fixed = len(fixed) == len(shapes)
        note = f"the package takes these sizes alone, and refuses others: {', '.join(fixed)}"
        return all_fixed, [note] if all_fixed else []

    def _branches(self):
        return sorted({node.op for node in self._graph.nodes if node.op in ("cond", "while_loop", "map", "scan")})

    def _unread(self, parameters):
        used = {node.name for node in self.program.graph.nodes if node.op == "placeholder" and node.users}
        return [
            spec.target
            for spec in self._signature.input_specs
            if spec.kind is InputKind.PARAMETER and spec.target in parameters and spec.arg.name not in used
        ]

    def _output_paths(self):
        spec = self.program.call_spec.out_spec
        tree = pytree.tree_unflatten(range(spec.num_leaves), spec)
        paths = ["".join(map(_step, path)) for path, _ in pytree.tree_flatten_with_path(tree)[0]]
        outputs = [each for each in self._signature.output_specs if each.kind is OutputKind.USER_OUTPUT]
        return [path for path, each in zip(paths, outputs) if isinstance(each.arg, TensorArgument)]

    def _returns(self):
        kind = self.program.call_spec.out_spec.type
        return "Tensor" if kind is None else getattr(kind, "__name__", str(kind))

    # How it runs.

    def run(self, mode, tensors, show):
        """Tensors that it returns, in order. `show` takes (name, tensor) of values on the way, or is None."""
        return [value for value in self.modes[mode](tensors, show) if isinstance(value, torch.Tensor)]

    @staticmethod
    def whole_number(number):
        return torch.tensor(number)

    def _refuse_sizes(self, tensors):
        """What the package itself says of its inputs: that is no fault of it."""
        guards = getattr(self._module, "_guards_fn", None)
        if guards is None:
            return
        try:
            guards(*tensors)
        except AssertionError as error:
            raise Unsupported(f"the package refuses these sizes: {str(error) or 'a guard failed'}") from error

    def _call_module(self, tensors, show):
        self._refuse_sizes(tensors)
        return pytree.tree_leaves(self._module(*tensors))

    def _interpret(self, tensors, show):
        self._refuse_sizes(tensors)
        return _Interpreter(self, show).call(tensors)

    def _interpret_in_double(self, tensors, show):
        self._refuse_sizes(tensors)
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return _DoubleInterpreter(self, show).call(tensors)
        except Exception as error:
            raise Unsupported(f"in double: {first_line(error)}") from error
        finally:
            torch.set_default_dtype(before)

    def lifted(self, tensors):
        """What the graph's placeholders are given."""
        program, given = self.program, iter(tensors)
        arguments = []
        for spec in self._signature.input_specs:
            if spec.kind is InputKind.USER_INPUT:
                arguments.append(next(given) if isinstance(spec.arg, TensorArgument) else spec.arg.value)
            elif spec.target in program.state_dict:
                arguments.append(program.state_dict[spec.target].detach())
            else:
                arguments.append(program.constants[spec.target])
        return arguments

    def returned(self, values):
        """Of what the graph puts out, what a caller gets."""
        kinds = [spec.kind for spec in self._signature.output_specs]
        return [value for value, kind in zip(values, kinds) if kind is OutputKind.USER_OUTPUT]


class _Interpreter(torch.fx.Interpreter):
    """The graph as it stands, and the values in it at the moment they are there."""

    def __init__(self, package, show):
        super().__init__(package.program.graph_module)
        self._package, self._show = package, show
        nodes = [node for node in package.program.graph.nodes if node.op == "call_function"]
        self._place = {node: i for i, node in enumerate(nodes)}
        self._node_of = {value: node for node, value in package.values.items()}

    def call(self, tensors):
        return self._package.returned(self.run(*self._package.lifted(tensors)))

    def run_node(self, node):
        place = self._place.get(node)
        if self._show is None or place is None:
            return super().run_node(node)

        def value_of(value):
            source = self._node_of[value]
            return result if source is node else self.env.get(source)

        result = None
        self._package.places.show_before(place, value_of, self._show)
        result = super().run_node(node)
        self._package.places.show_after(place, value_of, self._show)
        return result


class _DoubleInterpreter(_Interpreter):
    def call(self, tensors):
        arguments = [
            _widened(each) if isinstance(each, torch.Tensor) else each for each in self._package.lifted(tensors)
        ]
        return self._package.returned(self.run(*arguments))

    def call_function(self, target, args, kwargs):
        name = getattr(getattr(target, "_schema", None), "name", "")
        if name in _TYPE_CHECKS:
            return None
        return super().call_function(target, pytree.tree_map(_wide_type, args), pytree.tree_map(_wide_type, kwargs))


def _widened(tensor):
    return tensor.to(torch.float64) if tensor.is_floating_point() else tensor


def _wide_type(value):
    is_floating = isinstance(value, torch.dtype) and value.is_floating_point
    return torch.float64 if is_floating else value


@contextlib.contextmanager
def _quietly():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _load(file):
    try:
        with _quietly():
            return torch.export.load(file)
    except Exception as error:
        raise AdapterError(
            f"{file}: torch.export of torch {torch.__version__} cannot load it: {type(error).__name__}: "
            f"{first_line(error)}; it reads what torch.export.save wrote: another PyTorch, with what it needs, is "
            f"named by $DEFORMDIFF_PYTHON"
        ) from error


def _step(key):
    if isinstance(key, pytree.SequenceKey):
        return f"[{key.idx}]"
    return f".{getattr(key, 'key', getattr(key, 'name', '?'))}"


# The graph in the audit's words.


def _graph_of(program):
    """The Graph, and the Value of each node."""
    roles = {spec.arg.name: spec for spec in program.graph_signature.input_specs if hasattr(spec.arg, "name")}
    values, nodes, inputs, constants = {}, [], [], []
    for node in program.graph.nodes:
        if node.op == "placeholder":
            value = values[node] = _placeholder_value(program, node, roles[node.name])
            if value.role == "input":
                inputs.append(value)
            elif value.role == "constant":
                constants.append(value)
        elif node.op == "call_function":
            value = values[node] = Value(node.name, integer=not _is_tensor(node.meta.get("val")))
            nodes.append(_node(node, value, values))
    output = next(node for node in program.graph.nodes if node.op == "output")
    kinds = [spec.kind for spec in program.graph_signature.output_specs]
    outputs = [
        values[each]
        for each, kind in zip(output.args[0], kinds)
        if kind is OutputKind.USER_OUTPUT and isinstance(each, torch.fx.Node) and not values[each].integer
    ]
    return Graph(inputs, nodes, outputs, constants), values


def _is_tensor(value):
    return isinstance(value, torch.Tensor) or (isinstance(value, (list, tuple)) and any(map(_is_tensor, value)))


def _placeholder_value(program, node, spec):
    if spec.kind is InputKind.USER_INPUT:
        return Value(node.name, "input", integer=not isinstance(spec.arg, TensorArgument))
    if spec.kind is InputKind.CONSTANT_TENSOR:
        return Value(node.name, "constant", program.constants[spec.target].detach().cpu().numpy())
    value = Value(node.name, "parameter")
    tensor = program.state_dict.get(spec.target)
    value.constant = None if tensor is None or tensor.dtype is torch.bfloat16 else tensor.detach().cpu().numpy()
    return value


def _node(node, value, values):
    operands, views, writes, foreign = [], [], [], False
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        operands = [_operand(each, values) for each in node.args] + [
            _operand(each, values) for each in node.kwargs.values()
        ]
        if node.target is operator.getitem:
            views = [(value, values[node.args[0]])]
    else:
        foreign = schema.name.split("::")[0] not in ("aten", "prim", "prims", "higher_order")
        returned = {name for each in schema.returns if each.alias_info for name in each.alias_info.before_set}
        for i, argument in enumerate(schema.arguments):
            given = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name, argument.default_value)
            operands.append(_operand(given, values))
            alias = argument.alias_info
            if alias is None or not isinstance(given, torch.fx.Node):
                continue
            if returned & alias.before_set:
                views.append((value, values[given]))
            if alias.is_write:
                writes.append(values[given])
    return Node(_op_name(node.target, schema), operands, [value], _calls(node), _line(node), views, writes, foreign)


def _op_name(target, schema):
    if target is operator.getitem:
        return "getitem"
    if schema is None:
        return getattr(target, "__name__", str(target))
    namespace, name = schema.name.split("::")
    if namespace != "aten":
        return schema.name
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _operand(given, values):
    if isinstance(given, torch.fx.Node):
        return values.get(given)
    if isinstance(given, (list, tuple)):
        return [_operand(each, values) for each in given]
    return given


def _calls(node):
    """Of submodules, from the stack that the exporter noted; "PATH@1" is the second call of PATH."""
    stack = node.meta.get("nn_module_stack")
    if not stack or any(not isinstance(entry, (list, tuple)) for entry in stack.values()):
        return None
    if any(key.startswith("_empty_nn_module_stack") for key in stack):
        return None
    return [(entry[0], key) for key, entry in stack.items() if entry[0]]


def _line(node):
    arguments = ", ".join(str(each) for each in node.args)
    return f"%{node.name} = {node.target}({arguments})"
