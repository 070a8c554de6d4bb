"""What the adapters of transformers' Mask2Former share: its modules in the sizes of a case, and what they do not show
of themselves.

transformers has three levels, four points, groups of 32 and some constants in its code; a case may have any.
"""

import contextlib
import functools
from unittest import mock

import torch
import transformers.models.mask2former.modeling_mask2former as model
from transformers import Mask2FormerConfig

import deformdiff


def refuse_empty(*tensors):
    """Views of them with a size to be found are ambiguous, and resizing refuses them."""
    if any(tensor.numel() == 0 for tensor in tensors):
        raise deformdiff.Unsupported("empty tensors")


def with_eps(module, attributes):
    for part in module.modules():
        if isinstance(part, (torch.nn.LayerNorm, torch.nn.GroupNorm)):
            part.eps = attributes["eps"]
    return module


def attention(width, attributes):
    return model.Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention(
        width, int(attributes["num_heads"]), int(attributes["num_levels"]), int(attributes["num_points"])
    )


def with_attentions(module, width, attributes):
    for part in list(module.modules()):
        if isinstance(part, model.Mask2FormerPixelDecoderEncoderLayer):
            part.self_attn = attention(width, attributes)
    return with_eps(module, attributes)


def encoder_config(parameters, attributes, layer, **others):
    """`layer`: the first one's name and a dot, or nothing."""
    return Mask2FormerConfig(
        feature_size=parameters[layer + "final_layer_norm.weight"].numel(),
        encoder_feedforward_dim=parameters[layer + "fc1.bias"].numel(),
        num_attention_heads=int(attributes["num_heads"]),
        encoder_layers=int(attributes.get("num_encoder_layers", 1)),
        **others,
    )


def position_embedding(features, attributes):
    if attributes["position_eps"] != 1e-6 or attributes["position_offset"] != 0:
        raise deformdiff.Unsupported("another eps than 1e-6, or an offset, of positions")
    normalize = bool(attributes["position_normalize"])
    return model.Mask2FormerSinePositionEmbedding(
        features, attributes["position_temperature"], normalize, attributes["position_scale"] if normalize else None
    )


def pixel_decoder(parameters, attributes, prefix=""):
    levels, groups = int(attributes["num_levels"]), int(attributes["group_norm_groups"])
    if min(levels, int(attributes["num_encoder_layers"])) < 1:
        raise deformdiff.Unsupported("no levels, or no layers")
    config = encoder_config(
        parameters,
        attributes,
        prefix + "encoder.layers.0.",
        mask_feature_size=parameters[prefix + "mask_projection.bias"].numel(),
    )
    width = config.feature_size
    of_levels = [parameters[f"{prefix}input_projections.{level}.0.weight"].shape[1] for level in range(levels)]
    norm = torch.nn.GroupNorm
    with mock.patch.object(torch.nn, "GroupNorm", lambda _, channels: norm(groups, channels)):
        decoder = model.Mask2FormerPixelDecoder(
            config, [parameters[prefix + "adapter_1.0.weight"].shape[1], *reversed(of_levels)]
        )
    decoder.num_feature_levels = levels
    decoder.level_embed = torch.nn.Parameter(torch.empty(levels, width))
    decoder.input_projections = torch.nn.ModuleList(
        torch.nn.Sequential(torch.nn.Conv2d(channels, width, 1), torch.nn.GroupNorm(groups, width))
        for channels in of_levels
    )
    decoder.position_embedding = position_embedding(width // 2, attributes)
    return with_attentions(decoder, width, attributes)


def refuse_norms_of_one_number(decoder, features):
    """PyTorch's group norm does, where image, group and map hold one number together."""
    groups = decoder.mask_projection.in_channels // decoder.adapter_1[1].num_groups
    if groups == 1 and any(map_.shape[0] * map_.shape[2] * map_.shape[3] == 1 for map_ in features):
        raise deformdiff.Unsupported("a group norm of one number")


def reference_points(prefix, *arguments, **keywords):
    """transformers', whose levels are shown under names that begin with `prefix`."""
    join = torch.cat

    def joined(levels, *others):
        _tap_each(prefix + "reference_points_per_level", levels)
        return deformdiff.tap(prefix + "reference_points_all_levels", join(levels, *others))

    with mock.patch.object(torch, "cat", joined):
        return model.Mask2FormerPixelDecoderEncoderOnly.get_reference_points(*arguments, **keywords)


_TRANSFORMER = "model.transformer_module."


def transformer_module(parameters, attributes, in_features):
    layer = _TRANSFORMER + "decoder.layers.0."
    levels, layers = int(attributes["num_levels"]), int(attributes["num_decoder_layers"])
    if min(levels, layers) < 1:
        raise deformdiff.Unsupported("no levels, or no layers")
    if attributes["mask_threshold"] != 0.5:
        raise deformdiff.Unsupported("a threshold other than 0.5")
    queries, width = parameters[_TRANSFORMER + "queries_embedder.weight"].shape
    refuse_empty(parameters[_TRANSFORMER + "queries_embedder.weight"])
    projected = _TRANSFORMER + "input_projections.0.weight" in parameters
    config = Mask2FormerConfig(
        hidden_dim=width,
        mask_feature_size=parameters[_TRANSFORMER + "decoder.mask_predictor.mask_embedder.2.0.bias"].numel(),
        dim_feedforward=parameters[layer + "fc1.bias"].numel(),
        num_attention_heads=int(attributes["num_heads"]),
        num_queries=queries,
        decoder_layers=layers + 1,
        enforce_input_projection=projected,
        pre_norm=bool(attributes["pre_norm"]),
        activation_function="gelu" if attributes["gelu"] else "relu",
        dropout=0.0,
    )
    module = model.Mask2FormerTransformerModule(in_features, config)
    module.num_feature_levels = module.decoder.num_feature_levels = levels
    module.level_embed = torch.nn.Embedding(levels, width)
    module.input_projections = torch.nn.ModuleList(
        torch.nn.Conv2d(in_features, width, 1) if projected else torch.nn.Sequential() for _ in range(levels)
    )
    module.position_embedder = position_embedding(width // 2, attributes)
    return with_eps(module, attributes)


def in_its_place(parameters, transformer, pixels=None):
    """The parts under the names that they have in a whole model."""
    whole = torch.nn.Module()
    whole.model = torch.nn.Module()
    whole.model.transformer_module = transformer
    if pixels is not None:
        whole.model.pixel_level_module = torch.nn.Module()
        whole.model.pixel_level_module.decoder = pixels
    whole.class_predictor = torch.nn.Linear(*reversed(parameters["class_predictor.weight"].shape))
    return whole


def predictions(whole, maps, mask_features):
    """As Mask2FormerForUniversalSegmentation makes them of its decoder's states."""
    decoded = whole.model.transformer_module(maps, mask_features)
    classes = [whole.class_predictor(state.transpose(0, 1)) for state in decoded.intermediate_hidden_states]
    return classes[-1], decoded.masks_queries_logits[-1]


class _Hooks:
    """Shows what modules are given, until it is closed."""

    def __init__(self):
        self._hooks = []

    def on_call(self, part, function):
        """`function` takes the arguments and keywords with which the part is called."""

        def hook(_, arguments, keywords):
            function(*arguments, **keywords)

        self._hooks.append(part.register_forward_pre_hook(hook, with_kwargs=True))

    def on_result(self, part, function):
        def hook(_module, _arguments, result):
            function(result)

        self._hooks.append(part.register_forward_hook(hook))

    def close(self):
        for hook in self._hooks:
            hook.remove()


def _tap_each(name, tensors):
    for level, tensor in enumerate(tensors):
        deformdiff.tap(f"{name}.{level}", tensor)


def _show_points(hooks, stack, prefix, part):
    def given(*_, reference_points, **others):
        deformdiff.tap(prefix + "reference_points", reference_points)

    hooks.on_call(part.layers[0], given)
    of_instance = functools.partial(reference_points, prefix)
    stack.enter_context(mock.patch.object(part, "get_reference_points", of_instance))


def _show_pixel_decoder(hooks, prefix, part, inside):
    encoder = prefix + "encoder."
    hooks.on_call(part, lambda *_: inside.update(resize=prefix + "fpn_interpolate"))
    hooks.on_call(part.layer_1, lambda x: deformdiff.tap(prefix + "fpn_sum", x))

    def given(*_, inputs_embeds, position_embeddings, **others):
        deformdiff.tap(encoder + "inputs_embeds", inputs_embeds)
        deformdiff.tap(encoder + "position_embeddings", position_embeddings)

    hooks.on_call(part.encoder, given)
    hooks.on_result(part, lambda result: _tap_each(prefix + "multi_scale_features", result.multi_scale_features))


def _show_decoder(hooks, prefix, part):
    def given(*_, multi_stage_positional_embeddings, encoder_hidden_states, **others):
        _tap_each(prefix + "multi_stage_positional_embeddings", multi_stage_positional_embeddings)
        _tap_each(prefix + "encoder_hidden_states", encoder_hidden_states)

    def layer_given(*_, encoder_attention_mask, **others):
        deformdiff.tap(prefix + "attention_mask", encoder_attention_mask)

    hooks.on_call(part, given)
    for layer in part.layers:
        hooks.on_call(layer, layer_given)


def _show_predictor(hooks, prefix, part, inside):
    hooks.on_call(part, lambda *_: inside.update(resize=prefix + "resized_mask_logits"))

    def shown(result):
        deformdiff.tap(prefix + "mask_logits", result[0])
        deformdiff.tap(prefix + "attention_mask_raw", result[1])

    hooks.on_result(part, shown)


@contextlib.contextmanager
def shown(module):
    """Shows, while it lasts, stages that are no submodules: what functions are called with and return, and what
    modules are given."""
    sample, resize = model.multi_scale_deformable_attention, torch.nn.functional.interpolate
    inside, hooks, stack = {}, _Hooks(), contextlib.ExitStack()
    stack.callback(hooks.close)

    def sampled(value, sizes, locations, weights):
        prefix = inside["attention"]
        for name, tensor in (("value", value), ("sampling_locations", locations), ("attention_weights", weights)):
            deformdiff.tap(f"{prefix}msda.{name}", tensor)
        return deformdiff.tap(f"{prefix}msda.output", sample(value, sizes, locations, weights))

    def resized(*arguments, **keywords):
        return deformdiff.tap(inside["resize"], resize(*arguments, **keywords))

    def entered(prefix, *_, **others):
        inside["attention"] = prefix

    for name, part in module.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(part, model.Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention):
            hooks.on_call(part, functools.partial(entered, prefix))
        elif isinstance(part, model.Mask2FormerPixelDecoderEncoderOnly):
            _show_points(hooks, stack, prefix, part)
        elif isinstance(part, model.Mask2FormerPixelDecoder):
            _show_pixel_decoder(hooks, prefix, part, inside)
        elif isinstance(part, model.Mask2FormerMaskedAttentionDecoder):
            _show_decoder(hooks, prefix, part)
        elif isinstance(part, model.Mask2FormerMaskPredictor):
            _show_predictor(hooks, prefix, part, inside)
    stack.enter_context(mock.patch.object(model, "multi_scale_deformable_attention", sampled))
    stack.enter_context(mock.patch.object(torch.nn.functional, "interpolate", resized))
    with stack:
        yield
