#include "generators/ms_deform_attn/ablations.h"

#include "core/dtype_dispatch.h"
#include "generators/ms_deform_attn/edits.h"
#include "generators/ms_deform_attn/gradients.h"
#include "generators/ms_deform_attn/simplicity.h"
#include "generators/ms_deform_attn/steps.h"
#include "generators/shrink/ablations.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

Ablation one(const BlockDefinition& block, const std::string& words, const std::string& extent) {
  return ablation(block, words, [extent](const Draft& draft) {
    const ShrinkAxes axes = axes_by_size(draft);
    // Of the axes only the levels, which are no extent that can be kept alone, have no name.
    const std::string name = extent == "L" ? "" : extent;
    return one_of(*std::ranges::find(axes, name, &ShrinkAxis::extent));
  });
}

/// The last channel again and again up to a multiple of four: what fails on the others still does.
std::optional<Draft> channels_in_fours(const Draft& draft) {
  const std::int64_t channels = draft.dense.input("value").dim(3);
  if (channels == 0) return std::nullopt;
  Indices indices = index_range(0, channels);
  while (indices.size() % 4 != 0) indices.push_back(channels - 1);
  return keep_extent(draft, draft.block->dimensions(draft.dense), "D", indices);
}

std::optional<Draft> usual_step(const Draft& draft) {
  Draft usual = draft;
  usual.dense.attributes["im2col_step"] = draft.block->default_attributes().at("im2col_step");
  return usual;
}

std::optional<Draft> levels_in_order(const Draft& draft) {
  if (parse(draft.dense).has_consecutive_levels()) return draft;
  return keep_levels(draft, whole_levels(draft), Points::kInPlace, Gaps::kConsecutive);
}

/// From a height and a width to smaller ones; false where there are none.
using Sides = std::function<bool(std::int64_t& height, std::int64_t& width)>;

WaysWithout with_sides(const Sides& change) {
  return [change](const Draft&) {
    return one_way([change](const Draft& draft) -> std::optional<Draft> {
      std::vector<Crop> crops = whole_levels(draft);
      bool changed = false;
      for (Crop& crop : crops) {
        const Crop whole = crop;
        if (!change(crop.height, crop.width)) return std::nullopt;
        changed = changed || crop.height != whole.height || crop.width != whole.width;
      }
      return changed ? keep_levels(draft, crops, Points::kInPlace, Gaps::kKept) : draft;
    });
  };
}

/// One pixel is all that would be left of a row of them, and that shows little.
bool square(std::int64_t& height, std::int64_t& width) {
  if (height != width && std::min(height, width) == 1) return false;
  height = width = std::min(height, width);
  return true;
}

bool powers_of_two(std::int64_t& height, std::int64_t& width) {
  for (std::int64_t* side : {&height, &width}) {
    *side = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(*side)));
  }
  return true;
}

bool one_pixel(std::int64_t& height, std::int64_t& width) {
  height = width = 1;
  return true;
}

/// From a pixel coordinate, which may be NaN or infinite, and the side to another.
using MovePixel = double (*)(double pixel, double side);

template <typename T>
Tensor moved_locations(const Problem& problem, MovePixel move) {
  const Tensor& locations = problem.sampling_loc;
  std::vector<T> xy(locations.values<T>().begin(), locations.values<T>().end());
  const MapSides sides(problem);
  for (std::size_t i = 0; i < xy.size(); ++i) {
    const std::int64_t side = sides(static_cast<std::int64_t>(i));
    const double pixel = static_cast<double>(xy[i]) * static_cast<double>(side) - 0.5;
    const double moved = move(pixel, static_cast<double>(side));
    if (moved != pixel && !(std::isnan(moved) && std::isnan(pixel))) xy[i] = location_of<T>(moved, side);
  }
  return Tensor::of<T>(locations.dtype(), locations.shape(), xy);
}

WaysWithout with_pixels(MovePixel move) {
  return [move](const Draft&) {
    return one_way([move](const Draft& draft) -> std::optional<Draft> {
      const Problem problem = parse(draft.dense);
      Draft moved = draft;
      if (problem.sampling_loc.elements() == 0) return moved;
      set_input(moved.dense, "sampling_loc", with_floating(problem.dtype, [&](auto zero) {
                  return moved_locations<decltype(zero)>(problem, move);
                }));
      return moved;
    });
  };
}

/// Clear of the outermost pixels' centres, beyond which a point reads outside the map.
double inside(double pixel, double side) {
  if (side == 1) return 0;
  if (std::isnan(pixel)) return 0.25;
  return std::clamp(pixel, 0.25, side - 1.25);
}

double on_centre(double pixel, double) {
  return std::isfinite(pixel) ? std::floor(pixel + 0.5) : pixel;
}

template <typename T>
Tensor one_hot(const Tensor& weights) {
  const std::int64_t group = weights.dim(3) * weights.dim(4);
  std::vector<T> elements(static_cast<std::size_t>(weights.elements()), T{0});
  for (std::int64_t i = 0; i < weights.elements(); i += group) elements[static_cast<std::size_t>(i)] = T{1};
  return Tensor::of<T>(weights.dtype(), weights.shape(), elements);
}

bool is_finite(const Tensor& tensor) {
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    if (!std::isfinite(tensor.element(i))) return false;
  }
  return true;
}

/// A weight of zero silences no infinity.
std::optional<Draft> one_hot_weights(const Draft& draft) {
  const Problem problem = parse(draft.dense);
  const Tensor* const gradient = draft.dense.find_input("grad_output");
  if (!is_finite(problem.value) || (gradient != nullptr && !is_finite(*gradient))) return std::nullopt;
  Draft changed = draft;
  if (problem.attn_weight.elements() == 0) return changed;
  set_input(changed.dense, "attn_weight", with_floating(problem.dtype, [&](auto zero) {
              return one_hot<decltype(zero)>(problem.attn_weight);
            }));
  return changed;
}

std::optional<Draft> gradients_of_one(const Draft& draft) {
  const Tensor& gradient = draft.dense.input("grad_output");
  Draft changed = draft;
  set_input(changed.dense, "grad_output", repeated(1, gradient.dtype(), gradient.shape()).contiguous());
  return changed;
}

Ablation single_way(const BlockDefinition& block, const std::string& words,
                    std::optional<Draft> (*change)(const Draft&)) {
  return ablation(block, words, [change](const Draft&) { return one_way(change); });
}

}  // namespace

Ablations ablations(const BlockDefinition& block) {
  Ablations all{one(block, "one level", "L"),
                one(block, "one point", "P"),
                one(block, "one head", "M"),
                one(block, "a batch of one", "N"),
                one(block, "one query", "Q"),
                single_way(block, "levels in their order and no rows between", levels_in_order),
                single_way(block, "channels in fours", channels_in_fours),
                single_way(block, "im2col_step 64", usual_step),
                ablation(block, "square maps", with_sides(square)),
                ablation(block, "maps whose sides are powers of two", with_sides(powers_of_two)),
                ablation(block, "points inside the map", with_pixels(inside)),
                ablation(block, "points on pixels' centres", with_pixels(on_centre)),
                single_way(block, "one-hot weights", one_hot_weights),
                ablation(block, "maps of one pixel", with_sides(one_pixel))};
  all.back().leaves_little = true;  // every way to compute a coordinate leads to that pixel
  if (&block == &backward_block()) all.push_back(single_way(block, "gradients of one", gradients_of_one));
  return all;
}

}  // namespace deformdiff::ms_deform_attn
