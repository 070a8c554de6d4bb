"""The blocks' outputs, in the order in which implementations return them: `deformdiff list blocks`."""

OPERATOR, BACKWARD = "ms_deform_attn", "ms_deform_attn_backward"

#: Of cases for an exported module: inputs in order under any names, whatever it returns as output.0, output.1, ...
OPAQUE = "opaque"

_OUTPUTS = {
    OPERATOR: ["output"],
    BACKWARD: ["grad_value", "grad_sampling_loc", "grad_attn_weight"],
    "position_embedding": ["position_embedding"],
    "reference_points": ["reference_points"],
    "attention_layer": ["output"],
    "encoder_layer": ["hidden_states"],
    "pixel_decoder_encoder": ["last_hidden_state"],
    "pixel_decoder": ["mask_features"],
    "decoder_layer": ["hidden_states", "self_attn_weights", "cross_attn_weights"],
    "mask_predictor": ["normalized", "class_logits", "mask_logits", "attention_mask"],
    "transformer_decoder": ["class_queries_logits", "masks_queries_logits"],
    "mask2former_head": ["class_queries_logits", "masks_queries_logits"],
}

BLOCKS = tuple(_OUTPUTS)


def output_names(block, attributes):
    if block == OPAQUE:
        return []
    names = _OUTPUTS[block]
    if block == "pixel_decoder":
        return names + [f"multi_scale_features.{level}" for level in range(int(attributes["num_levels"]))]
    return names
