"""Arrays of the kinds that implementations take, made of raw bytes and turned back into them."""

import ctypes

from deformdiff.adapter import Unsupported
from deformdiff.worker.channel import ELEMENT_BYTES


class NotShown(Exception):
    """What an implementation returned cannot be shown to the parent; the text says what it is."""


class NumpyArrays:
    """numpy, on the CPU. bfloat16 is that of ml_dtypes, where that is installed."""

    name = "numpy"

    def __init__(self):
        import numpy

        self._numpy = numpy
        self._dtypes = {
            "F64": numpy.dtype("<f8"),
            "F32": numpy.dtype("<f4"),
            "F16": numpy.dtype("<f2"),
            "I64": numpy.dtype("<i8"),
            "BOOL": numpy.dtype("?"),
            "U8": numpy.dtype("u1"),
        }
        try:
            import ml_dtypes

            self._dtypes["BF16"] = numpy.dtype(ml_dtypes.bfloat16)
        except ImportError:
            pass
        self._names = {dtype: name for name, dtype in self._dtypes.items()}

    def make(self, memory, begin, size, dtype, shape, strides, offset):
        kind = self._dtypes.get(dtype)
        if kind is None:
            raise Unsupported("bfloat16: numpy has none without the package ml_dtypes")
        steps = None if strides is None else [kind.itemsize * stride for stride in strides]
        at = begin + (offset or 0) * kind.itemsize
        return self._numpy.ndarray(shape, kind, memory, at, steps)

    def is_laid_out(self, array, shape, strides):
        if array.shape != shape:
            return False
        return strides is None or array.strides == tuple([array.itemsize * stride for stride in strides])

    def given(self, array):
        """What an implementation gets of an array in a buffer."""
        return array

    def show(self, value):
        """(dtype's name, shape, bytes) of what an implementation returned."""
        if not isinstance(value, self._numpy.ndarray):
            value = self._as_array(value)
        name = self._names.get(value.dtype)
        if name is None:
            raise NotShown(f"a {value.dtype} array of shape {list(value.shape)}")
        return name, value.shape, value.tobytes()

    def _as_array(self, value):
        if value is None or isinstance(value, (str, bytes, dict, list, tuple)):
            raise NotShown(f"a {type(value).__name__}")
        return self._numpy.asarray(value)

    def location(self, value):
        """Where its elements lie, or nothing where that cannot be told."""
        return value.__array_interface__["data"][0] if isinstance(value, self._numpy.ndarray) else None

    def finish(self):
        """Waits for what was begun."""

    def is_device_error(self, error):
        return False


class JaxArrays(NumpyArrays):
    """jax.numpy: copies of the inputs on JAX's first device of its default kind."""

    name = "jax"

    def __init__(self):
        super().__init__()
        import jax

        jax.config.update("jax_enable_x64", True)
        self._jax = jax

    def given(self, array):
        return self._jax.numpy.array(array)

    def location(self, value):
        return None


class DlpackArrays(NumpyArrays):
    """For any framework that takes arrays by DLPack: what is given has `__dlpack__`, as what is returned must have.
    On the CPU, and without bfloat16, which numpy does not hand on."""

    name = "dlpack"

    def __init__(self):
        super().__init__()
        self._dtypes.pop("BF16", None)

    def make(self, memory, begin, size, dtype, shape, strides, offset):
        if dtype == "BF16":
            raise Unsupported("bfloat16: numpy's DLPack has none")
        return super().make(memory, begin, size, dtype, shape, strides, offset)

    def _as_array(self, value):
        if not hasattr(value, "__dlpack__"):
            raise NotShown(f"a {type(value).__name__} without __dlpack__")
        try:
            return self._numpy.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise NotShown(f"a {type(value).__name__} whose DLPack numpy does not take: {error}") from error


class TorchArrays:
    """torch, on the CPU in the worker's buffers, or copies on a GPU."""

    name = "torch"

    def __init__(self, device="cpu"):
        import torch

        self._torch = torch
        self._device = device
        self._device_of_inputs = torch.device(device, 0) if device == "cuda" else torch.device(device)
        self._dtypes = {
            "F64": torch.float64,
            "F32": torch.float32,
            "F16": torch.float16,
            "BF16": torch.bfloat16,
            "I64": torch.int64,
            "BOOL": torch.bool,
            "U8": torch.uint8,
        }
        self._names = {dtype: name for name, dtype in self._dtypes.items()}
        torch.set_num_threads(1)

    def make(self, memory, begin, size, dtype, shape, strides, offset):
        torch, kind = self._torch, self._dtypes[dtype]
        if size == 0:
            flat = torch.empty(0, dtype=kind)
            return flat.reshape(shape) if strides is None else flat.as_strided(shape, strides, offset)
        flat = torch.frombuffer(memory, dtype=kind, count=size // ELEMENT_BYTES[dtype], offset=begin)
        # A storage of its own that ends where the input does: what is beyond is not the tensor's to ask for.
        return flat.view(shape) if strides is None else flat.as_strided(shape, strides, offset)

    def is_laid_out(self, tensor, shape, strides):
        return tensor.shape == shape and (strides is None or tensor.stride() == strides)

    def given(self, tensor):
        return tensor if self._device == "cpu" else tensor.to(self._device_of_inputs)

    def show(self, value):
        torch = self._torch
        if not isinstance(value, torch.Tensor):
            raise NotShown(f"a {type(value).__name__} that is no torch.Tensor")
        if value.layout != torch.strided:
            raise NotShown(f"a {value.layout} tensor of shape {list(value.shape)}")
        if value.device != self._device_of_inputs:
            raise NotShown(f"a tensor of shape {list(value.shape)} on device {value.device}")
        name = self._names.get(value.dtype)
        shape = tuple(value.shape)
        if name is None:
            raise NotShown(f"a {value.dtype} tensor of shape {list(shape)}")
        if self._device != "cpu" or not value.is_contiguous() or value.is_neg() or value._is_zerotensor():
            value = value.detach().clone(memory_format=torch.contiguous_format).resolve_neg().cpu()
        return name, shape, ctypes.string_at(value.data_ptr(), value.nbytes)

    def location(self, value):
        return value.data_ptr() if self._device == "cpu" else None

    def finish(self):
        if self._device == "cuda":
            self._torch.cuda.synchronize()

    def is_device_error(self, error):
        lost = getattr(self._torch, "AcceleratorError", ())
        return self._device == "cuda" and (isinstance(error, lost) or "CUDA error" in str(error))


def arrays_of(kind, device):
    """Raises Unsupported where the package is not installed or the device is not there."""
    if device == "cuda":
        if kind != "torch":
            raise Unsupported(f"device=cuda is for arrays='torch'; these are {kind}")
        arrays = TorchArrays("cuda")
        if not arrays._torch.cuda.is_available():
            raise Unsupported("torch sees no GPU")
        return arrays
    return {"torch": TorchArrays, "numpy": NumpyArrays, "jax": JaxArrays, "dlpack": DlpackArrays}[kind]()
