"""The operator in PyTorch's own grid_sample, on whatever version is installed, and its gradients through autograd.

python:deformdiff.adapters.torch_composite
"""

import torch
import torch.nn.functional as F

import deformdiff

DECLARES = "coordinates=grid_sample"


def sampled(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    """The operator's output. `spatial_shapes` and `level_start_index` are lists of numbers, so that what records or
    compiles this function has them as constants."""
    batch, _, heads, channels = value.shape
    _, queries, _, _, points, _ = sampling_loc.shape
    # Where the numbers are of 16 bits the sums are those of float32, of gradients too: levels may overlap.
    dtype, wide = value.dtype, torch.float64 if value.dtype == torch.float64 else torch.float32
    value, sampling_loc, attn_weight = (tensor.to(wide) for tensor in (value, sampling_loc, attn_weight))
    output = torch.zeros(batch * heads, channels, queries, dtype=wide, device=value.device)
    for level, (height, width) in enumerate(spatial_shapes):
        start = level_start_index[level]
        rows = value[:, start : start + height * width]
        maps = rows.permute(0, 2, 3, 1).reshape(batch * heads, channels, height, width)
        grid = (2 * sampling_loc[:, :, :, level] - 1).transpose(1, 2)
        grid = grid.reshape(batch * heads, queries, points, 2)
        weights = attn_weight[:, :, :, level].transpose(1, 2).reshape(batch * heads, 1, queries, points)
        output = output + (F.grid_sample(maps, grid, align_corners=False) * weights).sum(-1)
    output = output.view(batch, heads * channels, queries).transpose(1, 2)
    return output.contiguous().to(dtype)


@deformdiff.subject(block="ms_deform_attn", declares=DECLARES, arrays="torch", autograd=True)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    return sampled(value, spatial_shapes.tolist(), level_start_index.tolist(), sampling_loc, attn_weight)
