"""deformops' operator in PyTorch, which runs wherever its kernels do not.

python:deformdiff.adapters.deformops_eager
"""

from deformops.backends.eager import msda_pytorch

import deformdiff


# float16 and bfloat16 are rounded after each operation.
@deformdiff.subject(block="ms_deform_attn", declares="coordinates=fused&arithmetic=operations", arrays="torch")
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    if 0 in (*value.shape, *sampling_loc.shape):
        raise deformdiff.Unsupported("empty tensors")
    return msda_pytorch.forward(value, spatial_shapes, level_start_index, sampling_loc, attn_weight)
