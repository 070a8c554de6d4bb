// A plain kernel for float32, registered twice: as it should be, and with pixel centres half a pixel off.
#include <cmath>
#include <cstdint>
#include <deformdiff/ms_deform_attn.h>

#include <ATen/ops/zeros.h>
#include <torch/library.h>

namespace {

/// The map [height, width] of one head's channel; `stride` numbers lie between neighbours.
struct Map {
  const float* first;
  std::int64_t height, width, stride;

  float at(std::int64_t y, std::int64_t x) const {
    return y < 0 || y >= height || x < 0 || x >= width ? 0.0F : first[(y * width + x) * stride];
  }

  /// Bilinear, in pixels, zero outside.
  float sample(float x, float y) const {
    if (!(x > -1 && y > -1 && x < static_cast<float>(width) && y < static_cast<float>(height))) return 0;
    const float left = std::floor(x), top = std::floor(y);
    const float fx = x - left, fy = y - top;
    const auto column = static_cast<std::int64_t>(left), row = static_cast<std::int64_t>(top);
    return (1 - fy) * ((1 - fx) * at(row, column) + fx * at(row, column + 1)) +
           fy * ((1 - fx) * at(row + 1, column) + fx * at(row + 1, column + 1));
  }
};

at::Tensor ms_deform_attn(const at::Tensor& any_value, const at::Tensor& any_shapes,
                          const at::Tensor& any_starts, const at::Tensor& any_locations,
                          const at::Tensor& any_weights, float centre) {
  const at::Tensor value = any_value.contiguous(), shapes = any_shapes.contiguous(),
                   starts = any_starts.contiguous(), locations = any_locations.contiguous(),
                   weights = any_weights.contiguous();
  const std::int64_t batch = value.size(0), pixels = value.size(1), heads = value.size(2),
                     channels = value.size(3);
  const std::int64_t queries = locations.size(1), levels = locations.size(3), points = locations.size(4);
  const at::Tensor output = at::zeros({batch, queries, heads * channels}, value.options());
  const auto* v = value.const_data_ptr<float>();
  const auto* shape = shapes.const_data_ptr<std::int64_t>();
  const auto* start = starts.const_data_ptr<std::int64_t>();
  const auto* location = locations.const_data_ptr<float>();
  const auto* weight = weights.const_data_ptr<float>();
  auto* out = output.mutable_data_ptr<float>();
  const std::int64_t stride = heads * channels;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t q = 0; q < queries; ++q) {
      for (std::int64_t m = 0; m < heads; ++m) {
        for (std::int64_t lp = 0; lp < levels * points; ++lp, location += 2, ++weight) {
          const std::int64_t l = lp / points, height = shape[2 * l], width = shape[2 * l + 1];
          const float x = location[0] * static_cast<float>(width) - centre;
          const float y = location[1] * static_cast<float>(height) - centre;
          const float* level = v + ((b * pixels + start[l]) * heads + m) * channels;
          for (std::int64_t d = 0; d < channels; ++d) {
            out[((b * queries + q) * heads + m) * channels + d] +=
                *weight * Map{level + d, height, width, stride}.sample(x, y);
          }
        }
      }
    }
  }
  return output;
}

at::Tensor right(const at::Tensor& value, const at::Tensor& shapes, const at::Tensor& starts,
                 const at::Tensor& locations, const at::Tensor& weights, std::int64_t) {
  return ms_deform_attn(value, shapes, starts, locations, weights, 0.5F);
}

at::Tensor wrong(const at::Tensor& value, const at::Tensor& shapes, const at::Tensor& starts,
                 const at::Tensor& locations, const at::Tensor& weights, std::int64_t) {
  return ms_deform_attn(value, shapes, starts, locations, weights, 0.0F);
}

}  // namespace

TORCH_LIBRARY(right, library) {
  library.def(deformdiff::kMsDeformAttnForward);
}
TORCH_LIBRARY_IMPL(right, CPU, library) {
  library.impl("ms_deform_attn_forward", right);
}
TORCH_LIBRARY(wrong, library) {
  library.def(deformdiff::kMsDeformAttnForward);
}
TORCH_LIBRARY_IMPL(wrong, CPU, library) {
  library.impl("ms_deform_attn_forward", wrong);
}
