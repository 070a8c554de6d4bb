#include "subjects/ms_deform_attn/composite.h"

#include "subjects/tracing/recorded_size.h"

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
at::Tensor planar(const at::Tensor& rows, const Size& height, const Size& width) {
  return unflatten(rows.permute({0, 2, 3, 1}).flatten(0, 1), 2, {height, width});
}

/// [N, Q, M, ...] -> [N*M, Q, ...]
at::Tensor heads_first(const at::Tensor& tensor) {
  return tensor.transpose(1, 2).flatten(0, 1);
}

}  // namespace

at::Tensor forward_composite(const Inputs& inputs) {
  check_structure(inputs);
  // grid_sampler of 16-bit types on the CPU counts pixels in int16: it reads beyond maps of more than 32767.
  if (const at::ScalarType dtype = inputs.value.scalar_type(); compute_type(dtype) != dtype)
    return forward_composite(in_compute_type(inputs)).to(dtype);
  const auto [value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step] = inputs;
  const at::Tensor shapes = spatial_shapes.cpu();
  const at::Tensor starts = level_start_index.cpu();
  check_levels(shapes, starts, value.size(1));
  const std::int64_t heads = value.size(2), levels = shapes.size(0);
  if (levels == 0 || value.numel() == 0) return at::zeros(output_shape(inputs), value.options());

  const at::Tensor grids = heads_first(2 * sampling_loc - 1);  // [N*M, Q, L, P, 2]
  std::vector<at::Tensor> samples;                             // of each level: [N*M, D, Q, P]
  for (std::int64_t l = 0; l < levels; ++l) {
    const at::Tensor sides = shapes.select(0, l);
    const Size height = Size::element(sides, 0), width = Size::element(sides, 1);
    const at::Tensor map = planar(narrow(value, 1, Size::element(starts, l), height * width), height, width);
    samples.push_back(at::grid_sampler(map, grids.select(2, l), kBilinear, kZeroPadding, false));
  }
  const at::Tensor weights = heads_first(attn_weight).flatten(2).unsqueeze(1);  // [N*M, 1, Q, L*P]
  const at::Tensor weighted = at::stack(samples, -2).flatten(-2) * weights;     // [N*M, D, Q, L*P]
  return weighted.sum(-1).unflatten(0, {-1, heads}).flatten(1, 2).transpose(1, 2).contiguous();
}

}  // namespace deformdiff::worker::ms_deform_attn
