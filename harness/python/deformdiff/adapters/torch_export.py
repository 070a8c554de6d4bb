"""The operator in PyTorch's own grid_sample, as torch.export writes it down: in operators of the core set.

python:deformdiff.adapters.torch_export

It is exported with inputs of the case's shapes and other numbers, then called with those of the case.
"""

import torch

import deformdiff
from deformdiff.adapters.torch_composite import DECLARES, sampled


class Operator(torch.nn.Module):
    """With the maps' sizes and places as constants."""

    def __init__(self, spatial_shapes, level_start_index):
        super().__init__()
        self._places = spatial_shapes, level_start_index

    def forward(self, value, sampling_loc, attn_weight):
        return sampled(value, *self._places, sampling_loc, attn_weight)


def exported(spatial_shapes, level_start_index, *tensors):
    """The program, exported with zeros in place of the tensors' numbers."""
    operator = Operator(spatial_shapes.tolist(), level_start_index.tolist())
    return torch.export.export(operator, tuple(torch.zeros_like(tensor) for tensor in tensors))


@deformdiff.subject(block="ms_deform_attn", declares=DECLARES, arrays="torch")
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    tensors = value, sampling_loc, attn_weight
    program = exported(spatial_shapes, level_start_index, *tensors).run_decompositions()
    return program.module()(*tensors)
