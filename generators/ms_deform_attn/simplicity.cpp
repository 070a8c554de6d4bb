#include "generators/ms_deform_attn/simplicity.h"

#include "core/dtype_dispatch.h"
#include "generators/common/numbers.h"
#include "generators/common/storage_layout.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr int kMostUlps = 8;
constexpr double kMostPixels = 1 << 20;

std::int64_t step_rank(std::int64_t step) {
  return step == 64 ? 0 : step;
}

std::int64_t level_disorder(const Problem& problem) {
  std::int64_t disorder = 0;
  std::int64_t covered = 0;
  const std::vector<Level>& levels = problem.levels;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const Level& a = levels[l];
    covered += a.height * a.width;
    for (std::size_t k = 0; k < l; ++k) {
      const Level& b = levels[k];
      const bool overlap = a.start < b.start + b.height * b.width && b.start < a.start + a.height * a.width;
      disorder += (a.start < b.start ? 1 : 0) + (overlap ? b.height * b.width : 0);
    }
  }
  return disorder + std::abs(problem.dims.S - covered);
}

}  // namespace

template <typename T>
PixelPlace pixel_place(T location, std::int64_t side) {
  PixelPlace place;
  if (!std::isfinite(location)) return place;
  const auto n = static_cast<double>(side);
  place.pixel = static_cast<double>(location) * n - 0.5;
  if (!(std::abs(place.pixel) < kMostPixels)) return place;
  const double eighths = std::floor(place.pixel * 8 + 0.5);
  const T nearest = location_of<T>(eighths / 8, side);
  for (int ulps = -kMostUlps; ulps <= kMostUlps; ++ulps) {
    if (step_ulps(nearest, ulps) != location) continue;
    place.dyadic = true;
    place.eighths = static_cast<std::int64_t>(eighths);
    place.ulps = ulps;
    break;
  }
  return place;
}

template <typename T>
NumberRank rank_of_location(T location, std::int64_t side) {
  if (!std::isfinite(location)) return rank_of(static_cast<double>(location));
  const PixelPlace place = pixel_place(location, side);
  if (!place.dyadic) {
    NumberRank rank = rank_of(static_cast<double>(location));
    rank.kind = 20;
    return rank;
  }
  NumberRank rank = rank_of(static_cast<double>(place.eighths) / 8);
  rank.kind = place.ulps == 0 ? 0 : 2 * std::abs(place.ulps) - (place.ulps > 0 ? 1 : 0);
  return rank;
}

template PixelPlace pixel_place<float>(float, std::int64_t);
template PixelPlace pixel_place<double>(double, std::int64_t);
template NumberRank rank_of_location<float>(float, std::int64_t);
template NumberRank rank_of_location<double>(double, std::int64_t);

std::vector<std::int64_t> structure_rank(const Case& c) {
  const Problem problem = parse(c);
  const Dims& d = problem.dims;
  std::int64_t extents = d.N + d.Q + d.M + d.D + d.P;
  std::int64_t heights = 0;
  for (const Level& level : problem.levels) {
    extents += 1 + level.height + level.width;
    heights += level.height;
  }
  return {extents, heights, level_disorder(problem), step_rank(problem.im2col_step), storage_complexity(c)};
}

std::vector<NumberRank> element_ranks(const Case& c) {
  const Problem problem = parse(c);
  std::vector<NumberRank> ranks;
  with_floating(problem.dtype, [&](auto zero) {
    const MapSides sides(problem);
    for (std::int64_t i = 0; i < problem.sampling_loc.elements(); ++i) {
      ranks.push_back(
          rank_of_location(static_cast<decltype(zero)>(problem.sampling_loc.element(i)), sides(i)));
    }
  });
  for (const Tensor* tensor : {&problem.value, &problem.attn_weight, c.find_input("grad_output")}) {
    if (tensor == nullptr) continue;
    for (std::int64_t i = 0; i < tensor->elements(); ++i) ranks.push_back(rank_of(tensor->element(i)));
  }
  return ranks;
}

bool is_simpler(const Case& a, const Case& b) {
  const auto rank_a = structure_rank(a);
  const auto rank_b = structure_rank(b);
  if (rank_a != rank_b) return rank_a < rank_b;
  const std::vector<NumberRank> in_order_a = element_ranks(a);
  const std::vector<NumberRank> in_order_b = element_ranks(b);
  std::vector<NumberRank> worst_first_a = in_order_a;
  std::vector<NumberRank> worst_first_b = in_order_b;
  std::ranges::sort(worst_first_a, std::greater());
  std::ranges::sort(worst_first_b, std::greater());
  if (worst_first_a != worst_first_b) return worst_first_a < worst_first_b;
  return in_order_a < in_order_b;
}

}  // namespace deformdiff::ms_deform_attn
