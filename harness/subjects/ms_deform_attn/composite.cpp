#include "subjects/ms_deform_attn/composite.h"

#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/grid_sampler.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

constexpr std::int64_t kBilinear = 0;
constexpr std::int64_t kZeroPadding = 0;

/// [N, H*W, M, D] rows of one level -> [N*M, D, H, W], as grid_sampler wants it.
at::Tensor planar(const at::Tensor& rows, std::int64_t height, std::int64_t width) {
  const std::int64_t batch = rows.size(0), heads = rows.size(2), channels = rows.size(3);
  return rows.permute({0, 2, 3, 1}).reshape({batch * heads, channels, height, width});
}

/// [N, Q, M, ...] -> [N*M, Q, ...]
at::Tensor heads_first(const at::Tensor& tensor) {
  return tensor.transpose(1, 2).flatten(0, 1);
}

}  // namespace

at::Tensor forward_composite(const Inputs& inputs) {
  check_structure(inputs);
  const auto [value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step] = inputs;
  const at::Tensor shapes = spatial_shapes.cpu();
  const at::Tensor starts = level_start_index.cpu();
  check_levels(shapes, starts, value.size(1));
  const std::int64_t batch = value.size(0), heads = value.size(2), channels = value.size(3);
  const std::int64_t queries = sampling_loc.size(1), levels = shapes.size(0);
  if (levels == 0 || value.numel() == 0) return at::zeros(output_shape(inputs), value.options());

  const at::Tensor grids = heads_first(2 * sampling_loc - 1);  // [N*M, Q, L, P, 2]
  const auto shape_of = shapes.accessor<std::int64_t, 2>();
  const auto start_of = starts.accessor<std::int64_t, 1>();
  std::vector<at::Tensor> samples;  // of each level: [N*M, D, Q, P]
  for (std::int64_t l = 0; l < levels; ++l) {
    const std::int64_t height = shape_of[l][0], width = shape_of[l][1];
    const at::Tensor map = planar(value.narrow(1, start_of[l], height * width), height, width);
    samples.push_back(at::grid_sampler(map, grids.select(2, l), kBilinear, kZeroPadding, false));
  }
  const at::Tensor weights = heads_first(attn_weight).flatten(2).unsqueeze(1);  // [N*M, 1, Q, L*P]
  const at::Tensor weighted = at::stack(samples, -2).flatten(-2) * weights;     // [N*M, D, Q, L*P]
  return weighted.sum(-1).view({batch, heads * channels, queries}).transpose(1, 2).contiguous();
}

}  // namespace deformdiff::worker::ms_deform_attn
