// Operators of few bits as users bring them, for the tests of bound=none: right ones, whose errors follow
// from no declaration, and wrong ones.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deformdiff/ms_deform_attn.h>
#include <tuple>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>
#include <ATen/ops/round.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

namespace {

enum class Way : std::uint8_t {
  kTensor,   ///< value, weights and gradient in 8 bits, a scale a tensor
  kTexture,  ///< coordinates in 1/256 of a pixel, as texture hardware has them
  // Wrong, and kTensor otherwise:
  kNextHead,    ///< the last query reads the next head
  kFirstImage,  ///< of more than two images the last one is read from the first
  kClamped      ///< beyond the border is the border
};

/// float32; in 8 bits and back, unless the way keeps it.
at::Tensor taken(const at::Tensor& tensor, Way way) {
  const at::Tensor wide = tensor.to(at::kFloat).contiguous();
  if (way == Way::kTexture || wide.numel() == 0) return wide;
  const at::Tensor scale = wide.abs().max() / 127;
  return scale.item<float>() == 0 ? wide : ((wide / scale).round() * scale).contiguous();
}

/// The operator's inputs, and what it does with them.
struct Work {
  Way way;
  at::Tensor value, locations, weights;
  const std::int64_t *sides, *starts;
  std::int64_t N, S, M, D, Q, L, P;

  Work(Way which, const at::Tensor& v, const at::Tensor& shapes, const at::Tensor& level_starts,
       const at::Tensor& loc, const at::Tensor& w)
      : way(which),
        value(taken(v, which)),
        locations(loc.to(at::kFloat).contiguous()),
        weights(taken(w, which)),
        shapes_(shapes.contiguous()),
        starts_(level_starts.contiguous()) {
    sides = shapes_.const_data_ptr<std::int64_t>();
    starts = starts_.const_data_ptr<std::int64_t>();
    N = v.size(0), S = v.size(1), M = v.size(2), D = v.size(3);
    Q = loc.size(1), L = loc.size(3), P = loc.size(4);
  }

  /// visit(sample, row of value that counts all heads, factor, its slopes in the location's x and y)
  template <typename Visit>
  void each_corner(const Visit& visit) const {
    const float* const loc = locations.const_data_ptr<float>();
    for (std::int64_t sample = 0; sample < N * Q * M * L * P; ++sample) {
      const std::int64_t l = sample / P % L, m = sample / (P * L) % M, row = sample / (P * L * M);
      const std::int64_t height = sides[2 * l], width = sides[2 * l + 1];
      const float x = placed(loc[2 * sample] * static_cast<float>(width) - 0.5F);
      const float y = placed(loc[2 * sample + 1] * static_cast<float>(height) - 0.5F);
      if (!(x > -1 && y > -1 && x < static_cast<float>(width) && y < static_cast<float>(height))) continue;
      const float left = std::floor(x), above = std::floor(y), fx = x - left, fy = y - above;
      const std::int64_t n = way == Way::kFirstImage && N > 2 && row / Q == N - 1 ? 0 : row / Q;
      const std::int64_t head = way == Way::kNextHead && row % Q == Q - 1 ? (m + 1) % M : m;
      for (const int corner : {0, 1, 2, 3}) {
        const int dx = corner % 2, dy = corner / 2;
        std::int64_t u = static_cast<std::int64_t>(left) + dx, v = static_cast<std::int64_t>(above) + dy;
        if (way == Way::kClamped) {
          u = std::clamp<std::int64_t>(u, 0, width - 1);
          v = std::clamp<std::int64_t>(v, 0, height - 1);
        }
        if (u < 0 || v < 0 || u >= width || v >= height) continue;
        const float along = dx == 1 ? fx : 1 - fx, down = dy == 1 ? fy : 1 - fy;
        visit(sample, ((n * S + starts[l] + v * width + u) * M + head) * D, along * down,
              static_cast<float>((dx == 1 ? 1 : -1) * width) * down,
              static_cast<float>((dy == 1 ? 1 : -1) * height) * along);
      }
    }
  }

 private:
  float placed(float coordinate) const {
    return way == Way::kTexture ? std::round(coordinate * 256) / 256 : coordinate;
  }

  at::Tensor shapes_, starts_;
};

template <Way way>
at::Tensor forward(const at::Tensor& value, const at::Tensor& shapes, const at::Tensor& starts,
                   const at::Tensor& locations, const at::Tensor& weights, std::int64_t) {
  const Work work(way, value, shapes, starts, locations, weights);
  const at::Tensor output = at::zeros({work.N, work.Q, work.M * work.D}, work.value.options());
  const float *const v = work.value.const_data_ptr<float>(), *const w = work.weights.const_data_ptr<float>();
  auto* const sum = output.mutable_data_ptr<float>();
  work.each_corner([&](std::int64_t sample, std::int64_t row, float factor, float, float) {
    for (std::int64_t d = 0; d < work.D; ++d)
      sum[sample / (work.L * work.P) * work.D + d] += w[sample] * factor * v[row + d];
  });
  return output.to(value.scalar_type());
}

template <Way way>
std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor& value, const at::Tensor& shapes,
                                                        const at::Tensor& starts, const at::Tensor& locations,
                                                        const at::Tensor& weights,
                                                        const at::Tensor& grad_output, std::int64_t) {
  const Work work(way, value, shapes, starts, locations, weights);
  const at::Tensor gradient = taken(grad_output, way);
  const at::Tensor of_value = at::zeros_like(work.value), of_locations = at::zeros_like(work.locations),
                   of_weights = at::zeros_like(work.weights);
  const float *const v = work.value.const_data_ptr<float>(), *const w = work.weights.const_data_ptr<float>(),
                     *const g = gradient.const_data_ptr<float>();
  auto *const gv = of_value.mutable_data_ptr<float>(), *const gl = of_locations.mutable_data_ptr<float>(),
              *const gw = of_weights.mutable_data_ptr<float>();
  work.each_corner([&](std::int64_t sample, std::int64_t row, float factor, float in_x, float in_y) {
    float product = 0;
    for (std::int64_t d = 0; d < work.D; ++d) {
      const float each = g[sample / (work.L * work.P) * work.D + d];
      gv[row + d] += w[sample] * factor * each;
      product += each * v[row + d];
    }
    gw[sample] += factor * product;
    gl[2 * sample] += w[sample] * in_x * product;
    gl[2 * sample + 1] += w[sample] * in_y * product;
  });
  return {of_value.to(value.scalar_type()), of_locations.to(value.scalar_type()),
          of_weights.to(value.scalar_type())};
}

template <Way way>
void define(torch::Library& library) {
  library.def(deformdiff::kMsDeformAttnForward);
  library.def(deformdiff::kMsDeformAttnBackward);
  library.impl("ms_deform_attn_forward", torch::dispatch(at::DispatchKey::CPU, &forward<way>));
  library.impl("ms_deform_attn_backward", torch::dispatch(at::DispatchKey::CPU, &backward<way>));
}

}  // namespace

TORCH_LIBRARY(int8, library) {
  define<Way::kTensor>(library);
}
TORCH_LIBRARY(texture, library) {
  define<Way::kTexture>(library);
}
TORCH_LIBRARY(next_head, library) {
  define<Way::kNextHead>(library);
}
TORCH_LIBRARY(first_image, library) {
  define<Way::kFirstImage>(library);
}
TORCH_LIBRARY(clamped, library) {
  define<Way::kClamped>(library);
}
