"""MMCV's Python path, which it takes on the CPU: the operator and the attention around it.

python:deformdiff.adapters.mmcv_composite

mmcv-lite will do: the package without compiled operators.
"""

import importlib.util
import sys
import types
from unittest import mock

import deformdiff

_EXTENSION = "mmcv._ext"


class _NoExtension(types.ModuleType):
    """In place of the compiled operators, which MMCV looks up when it is imported."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse

    @staticmethod
    def _refuse(*_):
        raise deformdiff.Unsupported("an operator that mmcv-lite does not have")


if importlib.util.find_spec(_EXTENSION) is None:
    sys.modules[_EXTENSION] = _NoExtension(_EXTENSION)

from mmcv.ops import multi_scale_deform_attn as mmcv_module

# float16 and bfloat16 are rounded after each operation; level_start_index is not looked at.
DECLARES = "coordinates=grid_sample&arithmetic=operations&level_start_index=ignored"


def _refuse_empty(*tensors):
    """Views of them with a size to be found are ambiguous."""
    if any(tensor.numel() == 0 for tensor in tensors):
        raise deformdiff.Unsupported("empty tensors")


@deformdiff.subject(block="ms_deform_attn", declares=DECLARES)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    _refuse_empty(value, sampling_loc)
    return mmcv_module.multi_scale_deformable_attn_pytorch(value, spatial_shapes, sampling_loc, attn_weight)


def _sampling_shown():
    """Shows, while it lasts, the arguments and the result of the function that samples."""
    function = mmcv_module.multi_scale_deformable_attn_pytorch

    def shown(value, spatial_shapes, locations, weights):
        for name, tensor in (("value", value), ("sampling_locations", locations), ("attention_weights", weights)):
            deformdiff.tap(f"msda.{name}", tensor)
        return deformdiff.tap("msda.output", function(value, spatial_shapes, locations, weights))

    return mock.patch.object(mmcv_module, "multi_scale_deformable_attn_pytorch", shown)


@deformdiff.subject(block="attention_layer", layout="huggingface", declares=DECLARES)
def attention_layer(attributes, parameters):
    if not attributes["residual_inside"]:
        raise deformdiff.Unsupported("the residual outside")
    module = mmcv_module.MultiScaleDeformableAttention(
        embed_dims=parameters["output_proj.bias"].numel(),
        num_heads=int(attributes["num_heads"]),
        num_levels=int(attributes["num_levels"]),
        num_points=int(attributes["num_points"]),
        dropout=0.0,
        batch_first=bool(attributes["batch_first"]),
    )

    def call(module, inputs):
        _refuse_empty(*inputs.values())
        with _sampling_shown():
            return module(
                inputs["hidden_states"],
                value=inputs["encoder_hidden_states"],
                query_pos=inputs.get("position_embeddings"),
                key_padding_mask=inputs.get("attention_mask"),
                reference_points=inputs["reference_points"],
                spatial_shapes=inputs["spatial_shapes"],
                level_start_index=inputs["level_start_index"],
            )

    return module, call
