#include "subjects/mask2former/positions.h"

#include "subjects/tracing/recorded_size.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_shape_as_tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stack.h>

namespace deformdiff::worker::mask2former {
namespace {

/// Positions along an axis of [N, H, W], from 1 up, where the mask has a pixel.
at::Tensor positions_along(const Scope& scope, const at::Tensor& valid, std::int64_t axis) {
  const at::Tensor positions = valid.cumsum(axis);
  if (!scope.is_set("position_normalize")) return positions;
  const Call& call = scope.call();
  const at::Tensor last = positions.slice(axis, -1);
  return (positions + call.number("position_offset")) / (last + call.number("position_eps")) *
         call.number("position_scale");
}

/// sin of the even angles, cos of the odd ones, interleaved.
at::Tensor waves(const at::Tensor& angles) {
  const at::Tensor even = angles.slice(-1, 0, std::nullopt, 2), odd = angles.slice(-1, 1, std::nullopt, 2);
  return at::stack({even.sin(), odd.cos()}, -1).flatten(-2);
}

}  // namespace

at::Tensor sine_position_embedding(const Scope& scope, const at::Tensor& valid, std::int64_t features) {
  const at::Tensor y = scope.show("y_embed", positions_along(scope, valid, 1));
  const at::Tensor x = scope.show("x_embed", positions_along(scope, valid, 2));
  const at::Tensor channel = at::arange(features, valid.options());
  const at::Tensor exponent = 2 * channel.div(2, "floor") / static_cast<double>(features);
  const at::Tensor wavelength =
      scope.show("dim_t", at::pow(scope.call().number("position_temperature"), exponent));
  const at::Tensor angle_x = scope.show("angle_x", x.unsqueeze(-1) / wavelength);
  const at::Tensor angle_y = scope.show("angle_y", y.unsqueeze(-1) / wavelength);
  return scope.show(at::cat({waves(angle_y), waves(angle_x)}, -1).permute({0, 3, 1, 2}));
}

at::Tensor sine_position_embedding_of(const Scope& scope, const at::Tensor& map, std::int64_t features) {
  return sine_position_embedding(scope, at::ones_like(map.select(1, 0)), features);
}

at::Tensor reference_points(const Scope& scope, const at::Tensor& spatial_shapes,
                            const at::Tensor& valid_ratios) {
  std::vector<at::Tensor> levels;
  for (std::int64_t l = 0; l < spatial_shapes.size(0); ++l) {
    const at::Tensor sides = spatial_shapes.select(0, l);
    const Size height = Size::element(sides, 0), width = Size::element(sides, 1);
    const at::Tensor extent = sides.flip(0).to(valid_ratios.options()) * valid_ratios.select(1, l);  // x, y
    const at::Tensor column = arange(width, valid_ratios.options()) + 0.5;
    const at::Tensor row = arange(height, valid_ratios.options()) + 0.5;
    const at::Tensor x = expand(column.unsqueeze(0), {height, width}).flatten();
    const at::Tensor y = expand(row.unsqueeze(1), {height, width}).flatten();
    const at::Tensor points = at::stack({x, y}, -1) / extent.unsqueeze(1);
    levels.push_back(scope.show("reference_points_per_level." + std::to_string(l), points));
  }
  return scope.show("reference_points", at::cat(levels, 1).unsqueeze(2) * valid_ratios.unsqueeze(1));
}

at::Tensor spatial_shapes_of(const std::vector<at::Tensor>& maps) {
  std::vector<at::Tensor> shapes;
  for (const at::Tensor& map : maps) shapes.push_back(at::_shape_as_tensor(map).slice(0, 2));
  return at::stack(shapes);
}

at::Tensor level_starts(const at::Tensor& spatial_shapes) {
  const at::Tensor pixels = spatial_shapes.prod(1);
  return pixels.cumsum(0) - pixels;
}

std::vector<at::Tensor> run_position_embedding(const Scope& scope) {
  const Call& call = scope.call();
  const at::Tensor& shape = call.input("spatial_shape");
  const auto options = shape.options().dtype(call.integer("bits") == 32 ? at::kFloat : at::kDouble);
  const at::Tensor sides = shape.cpu();
  const at::Tensor* mask = call.find_input("mask");
  const at::Tensor valid = mask != nullptr
                               ? mask->to(options)
                               : ones({1, Size::element(sides, 0), Size::element(sides, 1)}, options);
  return {sine_position_embedding(scope, valid, call.integer("num_position_features"))};
}

std::vector<at::Tensor> run_reference_points(const Scope& scope) {
  const Call& call = scope.call();
  return {reference_points(scope, call.input("spatial_shapes").cpu(), call.input("valid_ratios"))};
}

}  // namespace deformdiff::worker::mask2former
