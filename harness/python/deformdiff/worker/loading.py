"""From an address to the functions that are called: what an adapter is, and what is wrong with it."""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback

from deformdiff.adapter import AdapterError, Subject, Unsupported
from deformdiff.worker.blocks import BACKWARD, BLOCKS, OPERATOR

_OPERATOR_ARGUMENTS = "value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step"
_BACKWARD_ARGUMENTS = "value, spatial_shapes, level_start_index, sampling_loc, attn_weight, grad_output, im2col_step"
_DEEP_ARGUMENTS = "inputs, parameters, attributes"
_MODULE_ARGUMENTS = "attributes, parameters"


class Served:
    """A function, the block that it computes, and how it is called."""

    def __init__(self, subject, arguments, autograd=False):
        self.subject = subject
        self.block = BACKWARD if autograd else subject.block
        self.autograd = autograd
        self.arguments = arguments  # how many it takes


def load(file, module, name):
    """The functions by their blocks. `file` or `module` is given; `name` may be None. Raises AdapterError."""
    source = _import(file, module)
    found = [_named(source, name)] if name else _all_of(source)
    served = {}
    for subject in found:
        for each in _served(subject):
            if each.block in served:
                other = served[each.block].subject.__name__
                raise AdapterError(
                    f"{_place(subject)}: {subject.__name__} and {other} both compute {each.block}: name one of them, "
                    f"as in #{other}"
                )
            served[each.block] = each
    return served


def _import(file, module):
    try:
        if module is not None:
            sys.path.insert(0, os.getcwd())
            return importlib.import_module(module)
        sys.path.insert(0, os.path.dirname(file))
        name = os.path.splitext(os.path.basename(file))[0]
        spec = importlib.util.spec_from_file_location(name, file)
        source = importlib.util.module_from_spec(spec)
        # Unless the file is called as something that is in use, others may import it.
        sys.modules.setdefault(name, source)
        spec.loader.exec_module(source)
        return source
    except AdapterError:
        raise
    except Unsupported as error:
        raise AdapterError(f"it says on loading that it supports nothing: {error}") from error
    except SyntaxError as error:
        raise AdapterError(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except ImportError as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        fix = (
            f": install it for {sys.executable}, or name the environment that has it with ?python=PATH"
            if missing
            else ""
        )
        raise AdapterError(f"{place_of(error, file)}{error}{fix}") from error
    except Exception as error:
        raise AdapterError(f"{place_of(error, file)}on loading: {type(error).__name__}: {error}") from error


def place_of(error, file=None):
    """ "FILE:LINE: " of the last line of `file` that led to the error, or of the last line of all."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    inside = [frame for frame in frames if file is not None and frame.filename == file]
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    others = [frame for frame in frames if not frame.filename.startswith(ours)]
    for frame in reversed(inside or others):
        return f"{frame.filename}:{frame.lineno}: "
    return ""


def _named(source, name):
    value = source
    for part in name.split("."):
        if not hasattr(value, part):
            raise AdapterError(f"{_file_of(source)} has no {name}; it has: {', '.join(_functions_of(source)) or '-'}")
        value = getattr(value, part)
    if isinstance(value, Subject):
        return value
    if not callable(value):
        raise AdapterError(f"{_file_of(source)}: {name} is no function but a {type(value).__name__}")
    last = name.split(".")[-1]
    return _plain(value, last if last in BLOCKS else OPERATOR)


def _functions_of(source):
    return sorted(
        name
        for name, value in vars(source).items()
        if not name.startswith("_")
        and (isinstance(value, Subject) or inspect.isfunction(value) and value.__module__ == source.__name__)
    )


def _all_of(source):
    marked = [value for value in vars(source).values() if isinstance(value, Subject)]
    plain = [_plain(value, name) for name, value in vars(source).items() if name in BLOCKS and _is_plain(value)]
    if not marked and not plain:
        functions = _functions_of(source)
        fix = (
            f"name the one that is meant, as in #{functions[0]}"
            if functions
            else f"write def ms_deform_attn({_OPERATOR_ARGUMENTS})"
        )
        raise AdapterError(
            f"{_file_of(source)}: nothing in it is named as a block is (ms_deform_attn, ...) or marked with "
            f"@deformdiff.subject: {fix}"
        )
    return marked + plain


def _is_plain(value):
    return callable(value) and not isinstance(value, (Subject, type))


def _plain(function, block):
    return Subject(function, block, "", None, "cpu", None, False)


def _served(subject):
    if subject.block not in BLOCKS:
        raise AdapterError(
            f"{_place(subject)}: {subject.__name__}: there is no block {subject.block}; there are: {' '.join(BLOCKS)}"
        )
    if subject.autograd and subject.block != OPERATOR:
        raise AdapterError(f"{_place(subject)}: autograd=True is for block {OPERATOR}, not for {subject.block}")
    if subject.layout is not None:
        if subject.block in (OPERATOR, BACKWARD):
            raise AdapterError(f"{_place(subject)}: layout= is for deep blocks, whose modules have parameters")
        return [Served(subject, _checked(subject, _MODULE_ARGUMENTS))]
    if subject.block == OPERATOR:
        served = Served(subject, _checked(subject, _OPERATOR_ARGUMENTS, optional=1))
        return [served] + ([Served(subject, served.arguments, autograd=True)] if subject.autograd else [])
    if subject.block == BACKWARD:
        return [Served(subject, _checked(subject, _BACKWARD_ARGUMENTS, optional=1))]
    return [Served(subject, _checked(subject, _DEEP_ARGUMENTS))]


def _checked(subject, arguments, optional=0):
    """How many of these arguments the function takes: all, or as many fewer as are optional."""
    names = arguments.split(", ")
    try:
        signature = inspect.signature(subject.function)
    except (TypeError, ValueError):
        return len(names)  # of a builtin, which says no more
    for count in range(len(names), len(names) - optional - 1, -1):
        try:
            signature.bind(*names[:count])
            return count
        except TypeError:
            pass
    raise AdapterError(
        f"{_place(subject)}: {subject.__name__}{signature} cannot be called as a {subject.block} is: write "
        f"def {subject.__name__}({arguments}) and call yours from there"
    )


def _place(subject):
    code = getattr(inspect.unwrap(subject.function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else subject.__module__ or "?"


def _file_of(source):
    return getattr(source, "__file__", None) or source.__name__
