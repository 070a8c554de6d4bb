"""A pixel decoder in PyTorch, with Hugging Face's names, inside a model that takes an image."""

import math

import torch
from torch.nn import Conv2d, GroupNorm, LayerNorm, Linear, Module, ModuleList, ReLU, Sequential

from exported_attention import HEADS, POINTS, WIDTH, Attention, sampled

GROUPS, CHANNELS = 2, (3, 4, 5, 6)
CONFIG = {
    "num_heads": HEADS,
    "num_levels": 3,
    "num_points": POINTS,
    "group_norm_groups": GROUPS,
    "num_encoder_layers": 1,
}


def positions(maps):
    height, width = maps.shape[2], maps.shape[3]
    ones = torch.ones_like(maps[:, 0])
    count = WIDTH // 2
    index = torch.arange(count)
    temperatures = 10000.0 ** (2 * torch.div(index, 2, rounding_mode="floor") / count)
    parts = []
    for axis, size in ((1, height), (2, width)):
        along = ones.cumsum(axis) / (size + 1e-6) * (2 * math.pi)
        angles = along[..., None] / temperatures
        parts.append(torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], 4).flatten(3))
    return torch.cat(parts, 3).permute(0, 3, 1, 2)


def centres(maps):
    """Of the pixels, as fractions (x, y): [pixels, 2]."""
    ones = torch.ones_like(maps[0, 0])
    y, x = (ones.cumsum(0) - 0.5) / maps.shape[2], (ones.cumsum(1) - 0.5) / maps.shape[3]
    return torch.stack([x.flatten(), y.flatten()], 1)


class Layer(Module):
    def __init__(self, operator):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(operator, levels=3), LayerNorm(WIDTH)
        self.fc1, self.fc2, self.final_layer_norm = Linear(WIDTH, 12), Linear(12, WIDTH), LayerNorm(WIDTH)

    def forward(self, hidden, embeddings, references, shapes):
        hidden = self.self_attn_layer_norm(hidden + self.self_attn(hidden, embeddings, references, shapes))
        return self.final_layer_norm(hidden + self.fc2(self.fc1(hidden).relu()))


class Encoder(Module):
    def __init__(self, operator):
        super().__init__()
        self.layers = ModuleList([Layer(operator)])

    def forward(self, hidden, embeddings, references, shapes):
        return self.layers[0](hidden, embeddings, references, shapes)


class PixelDecoder(Module):
    def __init__(self, operator):
        super().__init__()
        self.level_embed = torch.nn.Parameter(torch.randn(3, WIDTH))
        self.input_projections = ModuleList(
            Sequential(Conv2d(channels, WIDTH, 1), GroupNorm(GROUPS, WIDTH)) for channels in CHANNELS[:0:-1]
        )
        self.encoder = Encoder(operator)
        self.adapter_1 = Sequential(Conv2d(CHANNELS[0], WIDTH, 1, bias=False), GroupNorm(GROUPS, WIDTH))
        self.layer_1 = Sequential(Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False), GroupNorm(GROUPS, WIDTH), ReLU())
        self.mask_projection = Conv2d(WIDTH, 5, 1)

    def forward(self, features):
        maps = [project(feature) for project, feature in zip(self.input_projections, features[:0:-1])]
        rows = [each.flatten(2).transpose(1, 2) for each in maps]
        embeddings = [
            positions(each).flatten(2).transpose(1, 2) + self.level_embed[i].view(1, 1, -1)
            for i, each in enumerate(maps)
        ]
        shapes = torch.stack([torch._shape_as_tensor(each)[2:] for each in maps])
        references = torch.cat([centres(each) for each in maps])[None, :, None].expand(maps[0].shape[0], -1, 3, -1)
        hidden = self.encoder(torch.cat(rows, 1), torch.cat(embeddings, 1), references, shapes)
        outputs, begin = [], 0
        for each, row in zip(maps, rows):
            part = hidden[:, begin : begin + row.shape[1]].transpose(1, 2)
            outputs.append(part.reshape(each.shape))
            begin = begin + row.shape[1]
        finest = self.adapter_1(features[0])
        resized = torch.nn.functional.interpolate(outputs[-1], size=finest.shape[-2:], mode="bilinear")
        return self.mask_projection(self.layer_1(finest + resized)), outputs


class Model(Module):
    """From an image to something smaller than masks."""

    def __init__(self, operator=sampled, offset=0.0):
        super().__init__()
        self.offset = offset
        sizes = zip((3, *CHANNELS), CHANNELS, (4, 2, 2, 2))
        self.backbone = ModuleList(Conv2d(a, b, 3, stride=stride, padding=1) for a, b, stride in sizes)
        self.decoder = PixelDecoder(operator)

    def forward(self, image):
        features, image = [], image + self.offset
        for layer in self.backbone:
            image = layer(image).relu() * 2
            features.append(image)
        masks, _ = self.decoder(features)
        return masks.mean((2, 3))


def save_traced(path, **how):
    torch.manual_seed(2)
    model = Model(**how).eval()
    with torch.no_grad():
        torch.jit.trace(model, torch.rand(1, 3, 64, 96), check_trace=False).save(path)
