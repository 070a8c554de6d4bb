"""An attention layer in PyTorch, right and wrong on purpose, whose exports `deformdiff check` is tried on."""

import torch

HEADS, LEVELS, POINTS, WIDTH = 2, 2, 2, 8
SIZES = [[3, 4], [2, 5]]
CONFIG = {"num_heads": HEADS, "num_levels": LEVELS, "num_points": POINTS, "reference": "points"}
NAMES = ["hidden_states", "position_embeddings", "reference_points", "spatial_shapes"]


def sampled(value, shapes, locations, weights):
    """The operator over `gather`: sizes stay tensors, so that an export holds for all of them."""
    batch, tokens, heads, channels = value.shape
    queries, points = locations.shape[1], locations.shape[4]
    rows = value.transpose(1, 2)
    starts = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])
    output = torch.zeros_like(rows[:, :, :1]).expand(-1, -1, queries, -1)
    for level in range(int(shapes.shape[0])):
        height, width = shapes[level, 0], shapes[level, 1]
        x = locations[:, :, :, level, :, 0] * width - 0.5
        y = locations[:, :, :, level, :, 1] * height - 0.5
        for dx, dy in ((0, 0), (0, 1), (1, 0), (1, 1)):
            column, row = x.floor() + dx, y.floor() + dy
            share = (1 - (x - column).abs()) * (1 - (y - row).abs()) * weights[:, :, :, level]
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            place = starts[level] + row.long() * width + column.long()
            place = place.clamp(min=0).minimum(torch.ones_like(place) * (tokens - 1)).transpose(1, 2).flatten(2)
            corner = torch.gather(rows, 2, place[..., None].expand(-1, -1, -1, channels))
            corner = corner.view(batch, heads, queries, points, channels)
            output = output + (corner * (share * inside).transpose(1, 2)[..., None]).sum(3)
    return output.transpose(1, 2).reshape(batch, queries, heads * channels)


def zeros(value, shapes, locations, weights):
    """What is left of a kernel that the exporter did not see."""
    return torch.zeros(value.shape[0], locations.shape[1], WIDTH)


def one_image(value, shapes, locations, weights):
    return sampled(value[:1], shapes, locations[:1], weights[:1]).expand(value.shape[0], -1, -1)


class Attention(torch.nn.Module):
    def __init__(self, operator=sampled, traced_sizes=False, levels=LEVELS):
        super().__init__()
        self.sampling_offsets = torch.nn.Linear(WIDTH, HEADS * levels * POINTS * 2)
        self.attention_weights = torch.nn.Linear(WIDTH, HEADS * levels * POINTS)
        self.value_proj = torch.nn.Linear(WIDTH, WIDTH)
        self.output_proj = torch.nn.Linear(WIDTH, WIDTH)
        self.operator, self.traced_sizes, self.levels = operator, traced_sizes, levels

    def forward(self, hidden_states, position_embeddings, reference_points, spatial_shapes):
        batch, queries, _ = hidden_states.shape
        value = self.value_proj(hidden_states).view(batch, queries, HEADS, WIDTH // HEADS)
        query = hidden_states + position_embeddings
        offsets = self.sampling_offsets(query).view(batch, queries, HEADS, self.levels, POINTS, 2)
        scores = self.attention_weights(query).view(batch, queries, HEADS, self.levels * POINTS)
        weights = scores.softmax(-1).view(batch, queries, HEADS, self.levels, POINTS)
        sizes = torch.tensor(SIZES) if self.traced_sizes else spatial_shapes
        locations = reference_points[:, :, None, :, None, :] + offsets / sizes.flip(1)[None, None, None, :, None, :]
        return self.output_proj(self.operator(value, spatial_shapes, locations, weights))


class Wrapper(torch.nn.Module):
    """As a user exports a part of a model."""

    def __init__(self, attention):
        super().__init__()
        self.part = attention

    def forward(self, hidden_states, position_embeddings, reference_points, spatial_shapes):
        return self.part(hidden_states, position_embeddings, reference_points, spatial_shapes)


def example(batch=2):
    """Arguments of forward."""
    torch.manual_seed(3)
    tokens = sum(height * width for height, width in SIZES)
    hidden, positions = torch.randn(2, batch, tokens, WIDTH)
    return hidden, positions, torch.rand(batch, tokens, LEVELS, 2), torch.tensor(SIZES)


def module(**how):
    torch.manual_seed(1)
    wrapper = Wrapper(Attention(**how)).eval()
    # Fresh layers make small numbers: samples would lie at their reference points.
    with torch.no_grad():
        for parameter in wrapper.parameters():
            parameter *= 3
    return wrapper


def constant_result():
    """An operator that gives what it gave for the example."""
    results = []

    def first(*arguments):
        results.append(sampled(*arguments).detach().clone())
        return results[-1]

    with torch.no_grad():
        module(operator=first)(*example())
    return lambda *_: results[0]


def save_pt2(wrapper, path):
    """For all sizes."""
    maps = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("tokens", min=2, max=4000)}
    sizes = dict(zip(NAMES, (maps, maps, maps, None)))
    torch.export.save(torch.export.export(wrapper, example(), dynamic_shapes=sizes, strict=False), path)


def save_fixed_pt2(wrapper, path):
    """For those of the example alone."""
    torch.export.save(torch.export.export(wrapper, example(), strict=False), path)


def save_onnx(wrapper, path):
    axes = {name: {0: "batch", 1: "tokens"} for name in NAMES[:3]}
    torch.onnx.export(wrapper, example(), path, dynamo=False, input_names=NAMES, dynamic_axes=axes, opset_version=17)
