"""RF-DETR's operator as it computes on Apple's GPUs and on XLA, run on the CPU.

python:deformdiff.adapters.rfdetr_mps

Only the device that the maps say they are on is changed, so that RF-DETR samples with its own code.
"""

import types

import torch
from rfdetr.models.ops.functions import ms_deform_attn_func as rfdetr_module

import deformdiff


class _SaysMps(torch.Tensor):
    device = property(lambda self: types.SimpleNamespace(type="mps"))


@deformdiff.subject(
    block="ms_deform_attn",
    declares="coordinates=grid_sample&arithmetic=operations&level_start_index=ignored",
    arrays="torch",
)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    if 0 in (*value.shape, *sampling_loc.shape):
        raise deformdiff.Unsupported("empty tensors")
    maps = value.permute(0, 2, 3, 1).contiguous().as_subclass(_SaysMps)
    output = rfdetr_module.ms_deform_attn_core_pytorch(maps, spatial_shapes, sampling_loc, attn_weight)
    return output.as_subclass(torch.Tensor)
