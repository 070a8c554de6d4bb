"""transformers' modules of Mask2Former, each with one linear layer's or convolution's weight 1 % too large."""

import deformdiff
from deformdiff.adapters import transformers_mask2former as right

#: The module at fault, by block.
FAULTY = {
    "attention_layer": "value_proj",
    "encoder_layer": "fc1",
    "pixel_decoder_encoder": "layers.0.fc2",
    "pixel_decoder": "mask_projection",
    "decoder_layer": "self_attn.v_proj",
    "mask_predictor": "mask_predictor.mask_embedder.1.0",
    "transformer_decoder": "model.transformer_module.decoder.layers.0.fc1",
    "mask2former_head": "class_predictor",
}


def _wrong(block, name):
    def make(attributes, parameters):
        module, run = getattr(right, block)(attributes, parameters)

        def call(module, inputs):
            module.get_submodule(name).weight.mul_(1.01)
            return run(module, inputs)

        return module, call

    return deformdiff.subject(block=block, layout="huggingface", declares=right.DECLARES)(make)


globals().update({block: _wrong(block, name) for block, name in FAULTY.items()})
