"""The operator in ONNX's GridSample, run by ONNX Runtime on the CPU, with its optimisations.

python:deformdiff.adapters.onnxruntime_composite

Its GridSample knows float32 and float64.
"""

import functools

import onnxruntime

import deformdiff
from deformdiff.adapters import onnx_graph

_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = 1
_options.log_severity_level = 3


@functools.lru_cache(maxsize=1)
def _session(sizes):
    model = onnx_graph.model_of(sizes)
    return onnxruntime.InferenceSession(model.SerializeToString(), _options, providers=["CPUExecutionProvider"])


@deformdiff.subject(block="ms_deform_attn", declares="dtypes=float32,float64&coordinates=grid_sample", arrays="numpy")
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    session = _session(onnx_graph.sizes_of(value, spatial_shapes, level_start_index, sampling_loc))
    inputs = {"value": value, "sampling_loc": sampling_loc, "attn_weight": attn_weight}
    return session.run(["output"], inputs)[0]
