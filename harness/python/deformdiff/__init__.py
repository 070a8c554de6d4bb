"""deformdiff tests implementations of multi-scale deformable attention, and of the Mask2Former blocks built on it,
against what correct arithmetic could give.

In a file with your kernel:

    def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step):
        ...                                     # torch tensors, or numpy arrays where torch is not imported

then, in a shell, `deformdiff fuzz --subject python:FILE.py`, or in Python

    result = deformdiff.fuzz("python:FILE.py", cases=500)
    assert result.ok, result
    result.findings[0].inputs                   # the smallest inputs that show the failure, as arrays

or with pytest

    def test_my_kernel(deformdiff):
        deformdiff.fuzz("python:FILE.py")

`subject` marks functions of other names, kinds and blocks; `Unsupported` is raised for cases that an implementation
does not support; `tap` shows the values of a deep block's stages. `judge` is for recorded tensors, `check` for
exported models, `replay` for saved cases.
"""

from deformdiff.adapter import Subject, Unsupported, subject, tap

__all__ = [
    "Error",
    "Finding",
    "Result",
    "Subject",
    "SubjectResult",
    "Unsupported",
    "check",
    "fuzz",
    "judge",
    "replay",
    "subject",
    "tap",
]

_LOADED_WHEN_USED = {
    "deformdiff.api": ("check", "fuzz", "judge", "replay"),
    "deformdiff.results": ("Error", "Finding", "Result", "SubjectResult"),
}


def __getattr__(name):
    # The worker, which runs where numpy need not be, and is started often, uses none of these.
    import importlib

    for module, names in _LOADED_WHEN_USED.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'deformdiff' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
