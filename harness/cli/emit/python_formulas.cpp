#include "cli/emit/python_formulas.h"

#include "cli/emit/python_text.h"
#include "core/error.h"

#include <map>
#include <string_view>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// The three gradients, of which the value is one.
constexpr std::string_view kGradients =
    R"(    # What the formula of the forward gives by the rules of differentiation, floor() taken as constant.
    n, q, m, levels, points, _ = x["sampling_loc"].shape
    grad_output = x["grad_output"].reshape(n, q, m, x["value"].shape[3])
    grad_value, grad_sampling_loc = np.zeros(x["value"].shape), np.zeros(x["sampling_loc"].shape)
    grad_attn_weight = np.zeros(x["attn_weight"].shape)
    for b, i, h, l, p in np.ndindex(n, q, m, levels, points):
        height, width = x["spatial_shapes"][l]
        column, row = x["sampling_loc"][b, i, h, l, p] * (width, height) - 0.5
        if not (-1 < column < width and -1 < row < height):
            continue
        weight, grad = x["attn_weight"][b, i, h, l, p], grad_output[b, i, h]
        for r, down in ((math.floor(row), -1), (math.floor(row) + 1, 1)):
            for c, right in ((math.floor(column), -1), (math.floor(column) + 1, 1)):
                if 0 <= r < height and 0 <= c < width:
                    at = b, x["level_start_index"][l] + r * width + c, h
                    near_x, near_y = 1 - abs(column - c), 1 - abs(row - r)
                    product = (grad * x["value"][at]).sum()
                    grad_value[at] += weight * near_x * near_y * grad
                    grad_sampling_loc[b, i, h, l, p, 0] += weight * width * right * near_y * product
                    grad_sampling_loc[b, i, h, l, p, 1] += weight * height * down * near_x * product
                    grad_attn_weight[b, i, h, l, p] += near_x * near_y * product
    value = )";

std::string gradient(std::string_view name) {
  return fmt::format("{}{}\n", kGradients, name);
}

/// Of the operation's inputs `x["NAME"]` and attributes `a["NAME"]`, the value of the operation. Formulas and
/// sources: oracles/operations/operations.h.
const std::map<std::string, std::string>& formulas() {
  static const std::map<std::string, std::string> table{
      {"ms_deform_attn_grad_value", gradient("grad_value")},
      {"ms_deform_attn_grad_sampling_loc", gradient("grad_sampling_loc")},
      {"ms_deform_attn_grad_attn_weight", gradient("grad_attn_weight")},
      {"linear", R"(    value = x["x"] @ x["weight"].T + x.get("bias", 0)
)"},
      {"conv2d", R"(    p = int(a["padding"])
    padded = np.pad(x["x"], ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, x["weight"].shape[2:], axis=(2, 3))
    value = np.einsum("bihwkl,oikl->bohw", windows, x["weight"])
    if "bias" in x:
        value = value + x["bias"][:, None, None]
)"},
      {"matmul", R"(    value = x["a"] @ x["b"]
)"},
      {"attention_scores", R"(    value = x["q"] @ x["k"].transpose(0, 2, 1)
    if "mask" in x:
        value = np.where(x["mask"], -inf, value)
)"},
      {"add", R"(    value = x["a"] + x["b"]
)"},
      {"scale", R"(    value = x["x"] / np.sqrt(a["head_dim"])
)"},
      {"relu", R"(    value = np.where(x["x"] < 0, 0, x["x"])
)"},
      {"gelu",
       R"(    value = x["x"] * (1 + np.array([math.erf(v) for v in (x["x"] / np.sqrt(2)).flat]).reshape(x["x"].shape)) / 2
)"},
      {"sigmoid", R"(    value = 1 / (1 + np.exp(-x["x"]))
)"},
      {"softmax", R"(    e = np.exp(x["x"] - x["x"].max(-1, keepdims=True))
    value = e / e.sum(-1, keepdims=True)
)"},
      {"mean_heads", R"(    value = x["x"].reshape(-1, int(a["heads"]), *x["x"].shape[1:]).mean(1)
)"},
      {"layer_norm", R"(    centred = x["x"] - x["x"].mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    value = centred / np.sqrt(variance + a["eps"]) * x["weight"] + x["bias"]
)"},
      {"group_norm", R"(    groups = x["x"].reshape(x["x"].shape[0], int(a["groups"]), -1)
    centred = groups - groups.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    value = (centred / np.sqrt(variance + a["eps"])).reshape(x["x"].shape)
    value = value * x["weight"][:, None, None] + x["bias"][:, None, None]
)"},
      {"copy", R"(    value = x["x"]
)"},
      {"constant", R"(    value = np.array([a[f"v{i}"] for i in range(int(a["count"]))])
)"},
      {"concat", R"(    value = np.concatenate([x[f"x{i}"] for i in range(len(x))], int(a["axis"]))
)"},
      {"mask_rows", R"(    value = x["x"]
    if "mask" in x:
        mask = x["mask"].reshape(*x["mask"].shape, *[1] * (value.ndim - 2))
        value = np.where(mask, 0, value)
)"},
      {"threshold", R"(    b, q, h, w = x["logits"].shape
    value = 1 / (1 + np.exp(-x["logits"])) < a["threshold"]
    value = np.repeat(value.reshape(b, q, h * w), int(a["heads"]), axis=0)
)"},
      {"unblock_rows", R"(    value = x["mask"] & ~x["mask"].all(-1, keepdims=True)
)"},
      {"ms_deform_attn",
       R"(    # Zhu et al. 2021, Deformable DETR, equation 3: bilinear samples, zero outside the map.
    n, q, m, levels, points, _ = x["sampling_loc"].shape
    d = x["value"].shape[3]
    value = np.zeros((n, q, m, d))
    for b, i, h, l, p in np.ndindex(n, q, m, levels, points):
        height, width = x["spatial_shapes"][l]
        column, row = x["sampling_loc"][b, i, h, l, p] * (width, height) - 0.5
        if not (-1 < column < width and -1 < row < height):
            continue
        for r in (math.floor(row), math.floor(row) + 1):
            for c in (math.floor(column), math.floor(column) + 1):
                if 0 <= r < height and 0 <= c < width:
                    pixel = x["value"][b, x["level_start_index"][l] + r * width + c, h]
                    near = (1 - abs(row - r)) * (1 - abs(column - c))
                    value[b, i, h] += x["attn_weight"][b, i, h, l, p] * near * pixel
    value = value.reshape(n, q, m * d)
)"},
      {"sampling_locations", R"(    sides = x["spatial_shapes"][:, ::-1][:, None]
    reference = x["reference_points"][:, :, None, :, None]
    if reference.shape[-1] == 2:
        value = reference + x["offsets"] / sides
    else:
        value = reference[..., :2] + x["offsets"] / x["offsets"].shape[4] * reference[..., 2:] / 2
)"},
      {"resize", R"(    value = x["x"]
    for axis, out in ((2, int(a["height"])), (3, int(a["width"]))):
        side = value.shape[axis]
        if x["x"].size == 0:
            break
        place = np.maximum((np.arange(out) + 0.5) * side / out - 0.5, 0)
        near = np.minimum(place.astype(int), side - 1)
        far = np.minimum(near + 1, side - 1)
        weight = (place - near).reshape([-1 if k == axis else 1 for k in range(4)])
        value = np.take(value, near, axis) * (1 - weight) + np.take(value, far, axis) * weight
)"},
      {"coordinates", R"(    axis = 2 if a["axis"] else 1
    if "mask" in x:
        valid = x["mask"]
    else:
        valid = np.ones((1, *x["spatial_shape"]), bool)
    value = valid.cumsum(axis).astype(float)
    if a["normalize"]:
        last = np.take(value, [-1], axis)
        value = (value + a["offset"]) / (last + a["eps"]) * a["scale"]
)"},
      {"temperatures", R"(    value = a["temperature"] ** (2 * (np.arange(int(a["count"])) // 2) / a["count"])
)"},
      {"angles", R"(    value = x["coordinates"][..., None] / x["temperatures"]
)"},
      {"sine_embedding", R"(    both = np.concatenate([x["angle_y"], x["angle_x"]], -1).transpose(0, 3, 1, 2)
    even = (np.arange(both.shape[1]) % (both.shape[1] // 2) % 2 == 0)[:, None, None]
    value = np.where(even, np.sin(both), np.cos(both))
)"},
      {"pixel_centres", R"(    height, width = x["spatial_shapes"][int(a["level"])]
    ratio = x["valid_ratios"][:, int(a["level"])]
    row, column = np.divmod(np.arange(height * width), width)
    value = (np.stack([column, row], -1) + 0.5) / (ratio[:, None] * (width, height))
)"},
      {"scaled_points", R"(    value = x["points"][:, :, None] * x["valid_ratios"][:, None]
)"},
  };
  return table;
}

}  // namespace

std::string numpy_formula(const Stage& stage) {
  const auto formula = formulas().find(stage.operation);
  DEFORMDIFF_CHECK(formula != formulas().end());
  std::string attributes;
  for (const auto& [name, value] : stage.attributes) {
    attributes +=
        fmt::format("{}{}: {}", attributes.empty() ? "" : ", ", python_string(name), python_number(value));
  }
  std::string text = fmt::format("def plain(x):\n    a = {{{}}}\n{}", attributes, formula->second);
  return text + fmt::format("    return {}\n", python_view(stage.view));
}

std::string torch_formula() {
  return R"(def plain(x):
    # Zhu et al. 2021, Deformable DETR, equation 3: the pure PyTorch form that the frameworks have.
    value, weight = x["value"], x["attn_weight"]
    n, _, m, d = value.shape
    q, levels, points = weight.shape[1], weight.shape[3], weight.shape[4]
    grids = 2 * x["sampling_loc"] - 1
    samples = []
    for l, (height, width) in enumerate(x["spatial_shapes"].tolist()):
        start = int(x["level_start_index"][l])
        rows = value[:, start : start + height * width]
        planes = rows.permute(0, 2, 3, 1).reshape(n * m, d, height, width)
        grid = grids[:, :, :, l].transpose(1, 2).reshape(n * m, q, points, 2)
        samples.append(F.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
    sampled = torch.stack(samples, -2).flatten(-2)
    weights = weight.transpose(1, 2).reshape(n * m, 1, q, levels * points)
    return (sampled * weights).sum(-1).reshape(n, m * d, q).transpose(1, 2)
)";
}

}  // namespace deformdiff::cli
