"""What an adapter file uses: `subject`, `tap` and `Unsupported`."""

import inspect
from typing import Any, Callable, Optional, Union

ARRAYS = ("torch", "numpy", "jax", "dlpack")
DEVICES = ("cpu", "cuda")
LAYOUTS = ("huggingface",)


class Unsupported(Exception):
    """Raised by an implementation for a case that it does not support: the case is counted as `unsupported`, with
    this text as the reason, and is no finding.

    >>> raise deformdiff.Unsupported("more than four levels")
    """


class AdapterError(Exception):
    """An adapter that cannot be used as it is written; the text names the file, the line and what to do."""


class Subject:
    """What `subject` makes of a function; calling it calls the function."""

    def __init__(self, function, block, declares, arrays, device, layout, autograd):
        self.function = function
        self.block = block
        self.declares = declares
        self.arrays = arrays
        self.device = device
        self.layout = layout
        self.autograd = autograd
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", "subject")
        self.__module__ = getattr(function, "__module__", None)
        self.__wrapped__ = function

    def __call__(self, *arguments, **keywords):
        return self.function(*arguments, **keywords)


def subject(
    block: Union[str, Callable, None] = None,
    *,
    declares: str = "",
    arrays: Optional[str] = None,
    device: str = "cpu",
    layout: Optional[str] = None,
    autograd: bool = False,
) -> Any:
    """Marks a function as an implementation of a block.

    block     its name (`deformdiff list blocks`); left out, the function's own name is that of the block
    declares  what the implementation promises, as behind '?' in an address (`deformdiff list addresses`):
              "dtypes=float32,float64&deterministic=1"
    arrays    what it is given and returns: "torch", "numpy", "jax", or "dlpack", arrays of any kind that have
              __dlpack__ (numpy's are given, in the buffers of the calls); left out, torch where the file imports
              it, else numpy
    device    "cpu" or "cuda"
    layout    "huggingface": the function is given the attributes and the parameters and returns a torch.nn.Module
              (or a pair of it and a function `call(module, inputs)`); its parameters are loaded by their names, and
              the results of its submodules are judged as the stages that bear their names
    autograd  of ms_deform_attn: its gradients, through torch's autograd, are tested too, as block
              ms_deform_attn_backward

    How the function is called:

    ms_deform_attn           f(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step);
                             the last may be left out of its signature
    ms_deform_attn_backward  f(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, grad_output,
                             im2col_step), which returns the gradients of value, sampling_loc and attn_weight
    a deep block             f(inputs, parameters, attributes): dictionaries by the names that
                             `deformdiff list blocks` shows; inputs that may be left out are missing where they are;
                             it returns the output, all of them in the block's order, or a dictionary by name

    >>> @deformdiff.subject(block="ms_deform_attn", declares="dtypes=float32", arrays="numpy")
    ... def mine(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step):
    ...     ...
    """
    if callable(block):
        return subject()(block)
    for given, name, known in ((arrays, "arrays", ARRAYS), (device, "device", DEVICES), (layout, "layout", LAYOUTS)):
        if given is not None and given not in known:
            raise AdapterError(f"{_caller()}: subject({name}={given!r}): wanted is one of {', '.join(known)}")
    if autograd and layout is not None:
        raise AdapterError(f"{_caller()}: subject(autograd=True) is for the operator, not for modules")

    def mark(function):
        return Subject(function, block or function.__name__, declares, arrays, device, layout, autograd)

    return mark


def _caller():
    frame = inspect.stack()[2]
    return f"{frame.filename}:{frame.lineno}"


#: Whether this process is deformdiff's worker, in which adapters are loaded and called.
in_worker = False

#: Takes (name, value) during a tapped call; None at other times.
_recorder = None


def tap(name: str, value: Any) -> Any:
    """Shows the value of a stage of a deep block (`deformdiff list stages`) to deformdiff, and returns it.

    >>> hidden = deformdiff.tap("fc1", hidden @ weight.T + bias)

    What is shown is judged on what it was computed from, so the stage at fault is named. Outside a tapped call of
    deformdiff's worker it does nothing.
    """
    if _recorder is not None:
        _recorder(name, value)
    return value


def record_taps(recorder):
    """From now on taps go to `recorder`, or nowhere if it is None."""
    global _recorder
    _recorder = recorder
