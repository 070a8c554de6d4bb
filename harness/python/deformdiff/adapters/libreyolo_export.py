"""LibreYOLO's operator as it is exported to ONNX and TensorRT: with bilinear sampling of its own.

python:deformdiff.adapters.libreyolo_export
"""

from unittest import mock

import torch
from libreyolo.models.deim import ms_deform

import deformdiff


@deformdiff.subject(
    block="ms_deform_attn",
    declares="coordinates=grid_sample&arithmetic=operations&level_start_index=ignored",
    arrays="torch",
)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    if 0 in (*value.shape, *sampling_loc.shape):
        raise deformdiff.Unsupported("empty tensors")
    sizes = [tuple(sides) for sides in spatial_shapes.tolist()]
    points = sampling_loc.shape[4]
    maps = value.permute(0, 2, 3, 1).split([height * width for height, width in sizes], dim=-1)
    with mock.patch.object(torch.onnx, "is_in_onnx_export", lambda: True):
        return ms_deform.deformable_attention_core_func_v2(
            maps, sizes, sampling_loc.flatten(3, 4), attn_weight.flatten(3, 4), [points] * len(sizes)
        )
