"""transformers' own modules of Mask2Former, a block each, on whatever version is installed.

python:deformdiff.adapters.transformers_mask2former

Submodules are stages by their names, which are the blocks'; what passes between them is shown too.
"""

import torch
import transformers.models.mask2former.modeling_mask2former as model
from transformers import Mask2FormerConfig

import deformdiff
from deformdiff.adapters import transformers_parts as parts

# float16 and bfloat16 are rounded after each operation, seen or not; level_start_index is not looked at.
DECLARES = "coordinates=grid_sample&arithmetic=operations&unseen=rounded&level_start_index=ignored"


def _sizes(spatial_shapes):
    return [tuple(sides) for sides in spatial_shapes.tolist()]


@deformdiff.subject(block="ms_deform_attn", declares=DECLARES)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    parts.refuse_empty(value, sampling_loc)
    return model.multi_scale_deformable_attention(value, _sizes(spatial_shapes), sampling_loc, attn_weight)


def _same_levels(inputs):
    inputs = dict(inputs)
    parts.refuse_empty(*inputs.values())
    inputs["spatial_shapes_list"] = _sizes(inputs.pop("spatial_shapes"))
    return inputs


@deformdiff.subject(block="attention_layer", layout="huggingface", declares=DECLARES)
def attention_layer(attributes, parameters):
    if not attributes["batch_first"] or attributes["residual_inside"]:
        raise deformdiff.Unsupported("length first, or the residual inside")

    def call(module, inputs):
        with parts.shown(module):
            return module(**_same_levels(inputs))[0]

    return parts.attention(parameters["output_proj.bias"].numel(), attributes), call


@deformdiff.subject(block="encoder_layer", layout="huggingface", declares=DECLARES)
def encoder_layer(attributes, parameters):
    config = parts.encoder_config(parameters, attributes, "")
    layer = model.Mask2FormerPixelDecoderEncoderLayer(config)
    module = parts.with_attentions(layer, config.feature_size, attributes)

    def call(module, inputs):
        with parts.shown(module):
            return module(**{"attention_mask": None, **_same_levels(inputs)})[0]

    return module, call


@deformdiff.subject(block="pixel_decoder_encoder", layout="huggingface", declares=DECLARES)
def pixel_decoder_encoder(attributes, parameters):
    if attributes["num_encoder_layers"] < 1:
        raise deformdiff.Unsupported("no layers")
    config = parts.encoder_config(parameters, attributes, "layers.0.")
    encoder = model.Mask2FormerPixelDecoderEncoderOnly(config)
    module = parts.with_attentions(encoder, config.feature_size, attributes)

    def call(module, inputs):
        with parts.shown(module):
            return module(**_same_levels(inputs)).last_hidden_state

    return module, call


def _decoded(decoder, inputs):
    parts.refuse_empty(*inputs.values())
    features = [inputs[f"features.{level}"] for level in range(len(inputs))]
    parts.refuse_norms_of_one_number(decoder, features)
    return decoder(features)


@deformdiff.subject(block="pixel_decoder", layout="huggingface", declares=DECLARES)
def pixel_decoder(attributes, parameters):
    def call(module, inputs):
        with parts.shown(module):
            result = _decoded(module, inputs)
        return (result.mask_features, *result.multi_scale_features)

    return parts.pixel_decoder(parameters, attributes), call


@deformdiff.subject(block="reference_points", declares=DECLARES)
def reference_points(inputs, parameters, attributes):
    ratios = inputs["valid_ratios"]
    return parts.reference_points("", _sizes(inputs["spatial_shapes"]), ratios, ratios.device)


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
    module = parts.with_eps(model.Mask2FormerMaskedAttentionDecoderLayer(config), attributes)

    def call(module, inputs):
        parts.refuse_empty(*inputs.values())
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
        parts.refuse_empty(hidden_states, pixel_embeddings)
        normalized = self.layernorm(hidden_states)
        masks, blocked = self.mask_predictor(normalized, pixel_embeddings, tuple(target_size.tolist()))
        return normalized, self.class_predictor(normalized.transpose(0, 1)), masks, blocked


@deformdiff.subject(block="mask_predictor", layout="huggingface", declares=DECLARES)
def mask_predictor(attributes, parameters):
    if attributes["mask_threshold"] != 0.5:
        raise deformdiff.Unsupported("a threshold other than 0.5")

    def call(module, inputs):
        with parts.shown(module):
            return module(**inputs)

    return parts.with_eps(_Predictor(attributes, parameters), attributes), call


@deformdiff.subject(block="transformer_decoder", layout="huggingface", declares=DECLARES)
def transformer_decoder(attributes, parameters):
    def call(module, inputs):
        parts.refuse_empty(*inputs.values())
        maps = [inputs[f"multi_scale_features.{level}"] for level in range(len(inputs) - 1)]
        with parts.shown(module):
            return parts.predictions(module, maps, inputs["mask_features"])

    projection = parameters.get("model.transformer_module.input_projections.0.weight")
    width = parameters["class_predictor.weight"].shape[1]
    in_features = width if projection is None else projection.shape[1]
    transformer = parts.transformer_module(parameters, attributes, in_features)
    return parts.in_its_place(parameters, transformer), call


@deformdiff.subject(block="mask2former_head", layout="huggingface", declares=DECLARES)
def mask2former_head(attributes, parameters):
    def call(module, inputs):
        with parts.shown(module):
            maps = _decoded(module.model.pixel_level_module.decoder, inputs)
            return parts.predictions(module, maps.multi_scale_features, maps.mask_features)

    pixels = parts.pixel_decoder(parameters, attributes, "model.pixel_level_module.decoder.")
    transformer = parts.transformer_module(parameters, attributes, pixels.config.feature_size)
    return parts.in_its_place(parameters, transformer, pixels), call


@deformdiff.subject(block="position_embedding", declares=DECLARES)
def position_embedding(inputs, parameters, attributes):
    module = parts.position_embedding(int(attributes["num_position_features"]), attributes)
    height, width = inputs["spatial_shape"].tolist()
    mask = inputs.get("mask")
    batch = 1 if mask is None else mask.shape[0]
    dtype = torch.float32 if attributes["bits"] == 32 else torch.float64
    return module(torch.Size((batch, 1, height, width)), inputs["spatial_shape"].device, dtype, mask)
