"""deformdiff tests implementations of multi-scale deformable attention, and of the Mask2Former blocks built on it,
against what correct arithmetic could give.

In a file with your kernel:

    def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step):
        ...                                     # torch tensors, or numpy arrays where torch is not imported

then, in a shell, `deformdiff fuzz --subject python:FILE.py`.

`subject` marks functions of other names, kinds and blocks; `Unsupported` is raised for cases that an implementation
does not support; `tap` shows the values of a deep block's stages.
"""

from deformdiff.adapter import Subject, Unsupported, subject, tap

__all__ = ["Subject", "Unsupported", "subject", "tap"]
