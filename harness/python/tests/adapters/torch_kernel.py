"""The operator as PyTorch's own grid_sample, its gradients through autograd, and a module of a deep block."""

import torch
import torch.nn.functional as F

import deformdiff
from deformdiff.adapters.torch_composite import ms_deform_attn as composite


def forgets_half(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    right = composite(value, spatial_shapes, level_start_index, sampling_loc, attn_weight)
    output = torch.empty_like(right)
    half = right.numel() // 2
    output.view(-1)[half:] = right.view(-1)[half:]
    return output


_KEPT = {}


def keeps_an_input(value, shapes, starts, locations, weights):
    """Remembers its input by its address."""
    kept = _KEPT.setdefault((value.data_ptr(), value.shape), value.clone())
    return composite(kept, shapes, starts, locations, weights)


def writes_to_an_input(value, shapes, starts, locations, weights):
    return composite(value.mul_(2), shapes, starts, locations, weights)


def returns_a_complex_tensor(*arguments):
    return torch.complex(composite(*arguments[:5]), composite(*arguments[:5]))


@deformdiff.subject(block="ms_deform_attn", arrays="dlpack")
def through_dlpack(*arrays):
    return composite(*[torch.from_dlpack(array) for array in arrays[:5]])


@deformdiff.subject(block="ms_deform_attn", arrays="dlpack")
def returns_no_dlpack(*arrays):
    return through_dlpack(*arrays).tolist()


class MaskPredictor(torch.nn.Module):
    def __init__(self, attributes, parameters):
        super().__init__()
        width = parameters["layernorm.weight"].shape[0]
        classes = parameters["class_predictor.bias"].shape[0]
        embedding = parameters["mask_predictor.mask_embedder.2.0.bias"].shape[0]
        self.heads, self.threshold = int(attributes["num_heads"]), attributes["mask_threshold"]
        self.layernorm = torch.nn.LayerNorm(width, eps=attributes["eps"])
        self.class_predictor = torch.nn.Linear(width, classes)
        self.mask_predictor = torch.nn.Module()
        linear = [torch.nn.Linear(width, width), torch.nn.Linear(width, width), torch.nn.Linear(width, embedding)]
        activations = [torch.nn.ReLU(), torch.nn.ReLU(), torch.nn.Identity()]
        self.mask_predictor.mask_embedder = torch.nn.ModuleList(
            torch.nn.Sequential(*layer) for layer in zip(linear, activations)
        )

    def forward(self, hidden_states, pixel_embeddings, target_size):
        normalized = self.layernorm(hidden_states)
        classes = self.class_predictor(normalized.transpose(0, 1))
        embedding = normalized.transpose(0, 1)
        for layer in self.mask_predictor.mask_embedder:
            embedding = layer(embedding)
        masks = torch.einsum("bqc,bchw->bqhw", embedding, pixel_embeddings)
        deformdiff.tap("mask_predictor.mask_logits", masks)
        resized = F.interpolate(masks, size=target_size.tolist(), mode="bilinear", align_corners=False)
        deformdiff.tap("mask_predictor.resized_mask_logits", resized)
        blocked = resized.sigmoid().flatten(2).unsqueeze(1).repeat(1, self.heads, 1, 1).flatten(0, 1)
        return normalized, classes, masks, blocked < self.threshold


DECLARES = "dtypes=float32,float64"


@deformdiff.subject(block="mask_predictor", layout="huggingface", declares=DECLARES)
def predictor(attributes, parameters):
    return MaskPredictor(attributes, parameters)


@deformdiff.subject(block="mask_predictor", layout="huggingface", declares=DECLARES)
def predictor_with_other_names(attributes, parameters):
    module = MaskPredictor(attributes, parameters)
    module.norm = module.layernorm
    del module.layernorm
    return module
