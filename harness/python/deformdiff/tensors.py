"""Tensors in files: safetensors, and the JSON of saved cases (cases/README.md); as numpy arrays here.

numpy has no bfloat16: such tensors are arrays of ml_dtypes.bfloat16 where that package is installed, else of float32,
which holds the same numbers.
"""

import json
import os
import struct
from typing import Any, Dict, Mapping, Tuple

import numpy

_DTYPES = {
    "float64": ("F64", "<f8"),
    "float32": ("F32", "<f4"),
    "float16": ("F16", "<f2"),
    "bfloat16": ("BF16", "<u2"),
    "int64": ("I64", "<i8"),
    "int32": ("I32", "<i4"),
    "uint8": ("U8", "u1"),
    "bool": ("BOOL", "?"),
}
_NAMES = {theirs: name for name, (theirs, _) in _DTYPES.items()}


def _from_bits(bits: numpy.ndarray) -> numpy.ndarray:
    """Of bfloat16."""
    try:
        import ml_dtypes

        return bits.view(ml_dtypes.bfloat16)
    except ImportError:
        return (bits.astype("<u4") << 16).view("<f4")


def _array(name: str, data: bytes) -> numpy.ndarray:
    flat = numpy.frombuffer(data, _DTYPES[name][1]).copy()
    return _from_bits(flat) if name == "bfloat16" else flat


def _raw(value: Any) -> Tuple[str, Tuple[int, ...], bytes]:
    """Dtype as safetensors name it, shape and bytes of a numpy array, a torch tensor, or what numpy takes for one."""
    if type(value).__module__.startswith("torch"):
        import torch

        value = value.detach().cpu().contiguous()
        name = str(value.dtype).replace("torch.", "")
        if value.dtype == torch.bfloat16:
            return "BF16", tuple(value.shape), value.view(torch.int16).numpy().tobytes()
        value = value.numpy()
    else:
        value = numpy.asarray(value)
        name = value.dtype.name
    if name not in _DTYPES:
        raise TypeError(f"a tensor of {name}: there are {', '.join(_DTYPES)}")
    return _DTYPES[name][0], tuple(value.shape), value.tobytes()


def write_safetensors(path: str, tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Writes arrays (numpy, torch, lists) by their names."""
    header: Dict[str, Any] = {"__metadata__": dict(metadata)}
    pieces, end = [], 0
    for name, value in tensors.items():
        dtype, shape, data = _raw(value)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        pieces.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(pieces))


def read_safetensors(path: str) -> Tuple[Dict[str, numpy.ndarray], Dict[str, str]]:
    """Its tensors by name, and its metadata."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = _array(_NAMES[entry["dtype"]], data[begin:end]).reshape(entry["shape"])
    return tensors, metadata


def read_case(path: str) -> Dict[str, Any]:
    """The JSON of a saved case, whose `inputs` are arrays: with the strides that the case has, too."""
    with open(path) as file:
        case = json.load(file)
    folder = os.path.dirname(os.path.abspath(path))
    case["inputs"] = {name: _input(entry, folder) for name, entry in case["inputs"].items()}
    return case


def _input(entry, folder):
    name, shape = entry["dtype"], entry["shape"]
    if "file" in entry:
        flat = read_safetensors(os.path.join(folder, entry["file"]))[0][entry["tensor"]]
    else:
        flat = _elements(name, entry["data"])
    if "strides" not in entry:
        return flat.reshape(shape)
    if flat.size == 0:
        return numpy.empty(shape, flat.dtype)
    steps = [stride * flat.itemsize for stride in entry["strides"]]
    return numpy.lib.stride_tricks.as_strided(flat[entry["offset"] :], shape, steps)


def _elements(name, data):
    kind = numpy.dtype(_DTYPES[name][1])
    if kind.kind in "iub" and name != "bfloat16":
        return numpy.array(data, "u1").view(kind) if name == "bool" else numpy.array(data, kind)
    wide = "<f8" if name == "float64" else "<f4"
    numbers = numpy.array([0.0 if str(each).startswith("0x") else float(each) for each in data], wide)
    flat = numbers if name in ("float64", "float32", "bfloat16") else numbers.astype(kind)
    bits = {i: int(each, 16) for i, each in enumerate(data) if str(each).startswith("0x")}
    if name == "bfloat16":
        stored = (flat.view("<u4") >> 16).astype("<u2")
        for i, value in bits.items():
            stored[i] = value
        return _from_bits(stored)
    for i, value in bits.items():
        flat.view(f"<u{flat.itemsize}")[i] = value
    return flat
