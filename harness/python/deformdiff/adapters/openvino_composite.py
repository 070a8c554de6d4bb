"""The operator in ONNX's GridSample, run by OpenVINO on the CPU.

python:deformdiff.adapters.openvino_composite

It is told to compute in float32, its default for a model's inference being the device's choice. float64 it computes in
float32, so float32 alone is declared.
"""

import functools

import numpy
import openvino

import deformdiff
from deformdiff.adapters import onnx_graph

_core = openvino.Core()
_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


@functools.lru_cache(maxsize=1)
def _compiled(sizes):
    model = onnx_graph.model_of(sizes)
    return _core.compile_model(_core.read_model(model.SerializeToString()), "CPU", _SETTINGS)


@deformdiff.subject(block="ms_deform_attn", declares="dtypes=float32&coordinates=grid_sample", arrays="numpy")
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    compiled = _compiled(onnx_graph.sizes_of(value, spatial_shapes, level_start_index, sampling_loc))
    inputs = [numpy.ascontiguousarray(array) for array in (value, sampling_loc, attn_weight)]
    return compiled(inputs)[0].copy()
