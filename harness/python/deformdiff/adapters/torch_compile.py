"""The operator in PyTorch's own grid_sample, compiled by torch.compile for the CPU or the GPU of the machine.

python:deformdiff.adapters.torch_compile

Inductor, the default backend, needs a C++ compiler on the CPU. Each case of other shapes is compiled anew, which takes
seconds: `--time 5m --case-timeout 2m` is a run.
"""

import torch

import deformdiff
from deformdiff.adapters.torch_composite import DECLARES, sampled

_compiled = torch.compile(sampled, dynamic=False, fullgraph=True)
_compiled_for = None


@deformdiff.subject(block="ms_deform_attn", declares=DECLARES, arrays="torch")
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    global _compiled_for
    levels, starts = spatial_shapes.tolist(), level_start_index.tolist()
    layouts = [(tensor.dtype, tensor.shape, tensor.stride()) for tensor in (value, sampling_loc, attn_weight)]
    # What was compiled for others is let go: beyond a number of them the function would run as it is.
    if _compiled_for != (layouts, levels, starts):
        torch.compiler.reset()
        _compiled_for = (layouts, levels, starts)
    return _compiled(value, levels, starts, sampling_loc, attn_weight)
