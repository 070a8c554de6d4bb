"""The operator in ONNX's GridSample, as the reference implementation of the onnx package evaluates it.

python:deformdiff.adapters.onnx_reference

It is the package's word on what its operators mean. float16 rounds after each operator.
"""

import onnx.reference

import deformdiff
from deformdiff.adapters import onnx_graph


@deformdiff.subject(
    block="ms_deform_attn",
    declares="dtypes=float32,float64,float16&coordinates=grid_sample&arithmetic=operations",
    arrays="numpy",
)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    model = onnx_graph.model_of(onnx_graph.sizes_of(value, spatial_shapes, level_start_index, sampling_loc))
    inputs = {"value": value, "sampling_loc": sampling_loc, "attn_weight": attn_weight}
    return onnx.reference.ReferenceEvaluator(model).run(None, inputs)[0]
