"""transformers' own modules of Mask2Former, a block each, on whatever version is installed.

python:deformdiff.adapters.transformers_mask2former

Submodules are stages by their names, which are the blocks'. Inside the attention the arguments and the result of the
sampling function are shown too.
"""

import contextlib

import torch
import transformers.models.mask2former.modeling_mask2former as model
from transformers import Mask2FormerConfig

import deformdiff

# float16 and bfloat16 are rounded after each operation; level_start_index is not looked at.
DECLARES = "coordinates=grid_sample&arithmetic=operations&level_start_index=ignored"


def _refuse_empty(*tensors):
    """Views of them with a size to be found are ambiguous, and resizing refuses them."""
    if any(tensor.numel() == 0 for tensor in tensors):
        raise deformdiff.Unsupported("empty tensors")


def _sizes(spatial_shapes):
    return [tuple(sides) for sides in spatial_shapes.tolist()]


@deformdiff.subject(block="ms_deform_attn", declares=DECLARES)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    _refuse_empty(value, sampling_loc)
    return model.multi_scale_deformable_attention(value, _sizes(spatial_shapes), sampling_loc, attn_weight)


@contextlib.contextmanager
def _sampling_shown(module):
    """Shows the arguments and the result of the function that samples, under the attention that calls it."""
    function, stack = model.multi_scale_deformable_attention, []

    def shown(value, sizes, locations, weights):
        prefix = stack[-1]
        for name, tensor in (("value", value), ("sampling_locations", locations), ("attention_weights", weights)):
            deformdiff.tap(f"{prefix}msda.{name}", tensor)
        return deformdiff.tap(f"{prefix}msda.output", function(value, sizes, locations, weights))

    kind = model.Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention
    hooks = []
    for name, part in module.named_modules():
        if isinstance(part, kind):
            prefix = f"{name}." if name else ""
            hooks.append(part.register_forward_pre_hook(lambda *_, prefix=prefix: stack.append(prefix)))
    model.multi_scale_deformable_attention = shown
    try:
        yield
    finally:
        model.multi_scale_deformable_attention = function
        for hook in hooks:
            hook.remove()


def _with_eps(module, attributes):
    for part in module.modules():
        if isinstance(part, (torch.nn.LayerNorm, torch.nn.GroupNorm)):
            part.eps = attributes["eps"]
    return module


def _attention(width, attributes):
    return model.Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention(
        width, int(attributes["num_heads"]), int(attributes["num_levels"]), int(attributes["num_points"])
    )


def _with_attentions(module, width, attributes):
    """transformers has three levels and four points in its code; a block may have any."""
    for part in list(module.modules()):
        if isinstance(part, model.Mask2FormerPixelDecoderEncoderLayer):
            part.self_attn = _attention(width, attributes)
    return _with_eps(module, attributes)


def _encoder_config(parameters, attributes, prefix):
    return Mask2FormerConfig(
        feature_size=parameters[prefix + "final_layer_norm.weight"].numel(),
        encoder_feedforward_dim=parameters[prefix + "fc1.bias"].numel(),
        num_attention_heads=int(attributes["num_heads"]),
        encoder_layers=int(attributes.get("num_encoder_layers", 1)),
    )


def _same_levels(inputs):
    inputs = dict(inputs)
    _refuse_empty(*inputs.values())
    inputs["spatial_shapes_list"] = _sizes(inputs.pop("spatial_shapes"))
    return inputs


@deformdiff.subject(block="attention_layer", layout="huggingface", declares=DECLARES)
def attention_layer(attributes, parameters):
    if not attributes["batch_first"] or attributes["residual_inside"]:
        raise deformdiff.Unsupported("length first, or the residual inside")

    def call(module, inputs):
        with _sampling_shown(module):
            return module(**_same_levels(inputs))[0]

    return _attention(parameters["output_proj.bias"].numel(), attributes), call


@deformdiff.subject(block="encoder_layer", layout="huggingface", declares=DECLARES)
def encoder_layer(attributes, parameters):
    config = _encoder_config(parameters, attributes, "")
    module = _with_attentions(model.Mask2FormerPixelDecoderEncoderLayer(config), config.feature_size, attributes)

    def call(module, inputs):
        with _sampling_shown(module):
            return module(**{"attention_mask": None, **_same_levels(inputs)})[0]

    return module, call


@deformdiff.subject(block="pixel_decoder_encoder", layout="huggingface", declares=DECLARES)
def pixel_decoder_encoder(attributes, parameters):
    if attributes["num_encoder_layers"] < 1:
        raise deformdiff.Unsupported("no layers")
    config = _encoder_config(parameters, attributes, "layers.0.")
    module = _with_attentions(model.Mask2FormerPixelDecoderEncoderOnly(config), config.feature_size, attributes)

    def call(module, inputs):
        with _sampling_shown(module):
            return module(**_same_levels(inputs)).last_hidden_state

    return module, call


@deformdiff.subject(block="reference_points", declares=DECLARES)
def reference_points(inputs, parameters, attributes):
    make = model.Mask2FormerPixelDecoderEncoderOnly.get_reference_points
    return make(_sizes(inputs["spatial_shapes"]), inputs["valid_ratios"], inputs["valid_ratios"].device)


@deformdiff.subject(block="decoder_layer", layout="huggingface", declares=DECLARES)
def decoder_layer(attributes, parameters):
    config = Mask2FormerConfig(
        hidden_dim=parameters["final_layer_norm.weight"].numel(),
        dim_feedforward=parameters["fc1.bias"].numel(),
        num_attention_heads=int(attributes["num_heads"]),
        pre_norm=bool(attributes["pre_norm"]),
        activation_function="gelu" if attributes["gelu"] else "relu",
        dropout=0.0,
    )
    module = _with_eps(model.Mask2FormerMaskedAttentionDecoderLayer(config), attributes)

    def call(module, inputs):
        _refuse_empty(*inputs.values())
        return module(
            inputs["hidden_states"],
            level_index=0,
            position_embeddings=[inputs["position_embeddings"]],
            query_position_embeddings=inputs["query_position_embeddings"],
            encoder_hidden_states=[inputs["encoder_hidden_states"]],
            encoder_attention_mask=inputs.get("attention_mask"),
            output_attentions=True,
        )

    return module, call


class _Predictor(torch.nn.Module):
    """The parts of the decoder that predict after each layer."""

    def __init__(self, attributes, parameters):
        super().__init__()
        width, classes = parameters["layernorm.weight"].numel(), parameters["class_predictor.bias"].numel()
        features = parameters["mask_predictor.mask_embedder.2.0.bias"].numel()
        self.layernorm = torch.nn.LayerNorm(width)
        self.class_predictor = torch.nn.Linear(width, classes)
        self.mask_predictor = model.Mask2FormerMaskPredictor(width, int(attributes["num_heads"]), features)

    def forward(self, hidden_states, pixel_embeddings, target_size):
        _refuse_empty(hidden_states, pixel_embeddings)
        normalized = self.layernorm(hidden_states)
        masks, blocked = self.mask_predictor(normalized, pixel_embeddings, tuple(target_size.tolist()))
        return normalized, self.class_predictor(normalized.transpose(0, 1)), masks, blocked


@deformdiff.subject(block="mask_predictor", layout="huggingface", declares=DECLARES)
def mask_predictor(attributes, parameters):
    if attributes["mask_threshold"] != 0.5:
        raise deformdiff.Unsupported("a threshold other than 0.5")
    return _with_eps(_Predictor(attributes, parameters), attributes)


@deformdiff.subject(block="position_embedding", declares=DECLARES)
def position_embedding(inputs, parameters, attributes):
    if attributes["position_eps"] != 1e-6 or attributes["position_offset"] != 0:
        raise deformdiff.Unsupported("another eps than 1e-6, or an offset")
    normalize = bool(attributes["position_normalize"])
    module = model.Mask2FormerSinePositionEmbedding(
        int(attributes["num_position_features"]),
        attributes["position_temperature"],
        normalize,
        attributes["position_scale"] if normalize else None,
    )
    height, width = inputs["spatial_shape"].tolist()
    mask = inputs.get("mask")
    batch = 1 if mask is None else mask.shape[0]
    dtype = torch.float32 if attributes["bits"] == 32 else torch.float64
    return module(torch.Size((batch, 1, height, width)), inputs["spatial_shape"].device, dtype, mask)
