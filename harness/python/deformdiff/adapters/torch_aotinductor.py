"""The operator in PyTorch's own grid_sample, exported and compiled ahead of time to a library (AOTInductor).

python:deformdiff.adapters.torch_aotinductor

Each case is compiled, which takes ten seconds and more: `--time 5m --case-timeout 2m` is a run.
"""

import os
import tempfile

import torch

import deformdiff
from deformdiff.adapters.torch_composite import DECLARES
from deformdiff.adapters.torch_export import exported


@deformdiff.subject(block="ms_deform_attn", declares=DECLARES, arrays="torch")
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    tensors = value, sampling_loc, attn_weight
    program = exported(spatial_shapes, level_start_index, *tensors)
    with tempfile.TemporaryDirectory(prefix="deformdiff-") as folder:
        package = torch._inductor.aoti_compile_and_package(program, package_path=os.path.join(folder, "model.pt2"))
        return torch._inductor.aoti_load_package(package)(*tensors)
