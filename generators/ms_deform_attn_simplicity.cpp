#include "generators/ms_deform_attn_simplicity.h"

#include "blocks/ms_deform_attn.h"
#include "generators/numbers.h"
#include "generators/tensor_layout.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

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

enum class Order { kSame, kSimpler, kOther };

Order compare(const NumberRank& a, const NumberRank& b) {
  if (a == b) return Order::kSame;
  return a < b ? Order::kSimpler : Order::kOther;
}

/// Element by element; kOther as soon as one is worse.
template <typename T>
Order compare_elements(const Problem& a, const Problem& b) {
  Order order = Order::kSame;
  const auto add = [&order](Order next) {
    if (next == Order::kOther || order == Order::kOther) {
      order = Order::kOther;
    } else if (next == Order::kSimpler) {
      order = next;
    }
  };
  for (std::int64_t i = 0; i < a.value.elements(); ++i) {
    add(compare(rank_of(a.value.element(i)), rank_of(b.value.element(i))));
  }
  for (std::int64_t i = 0; i < a.attn_weight.elements(); ++i) {
    add(compare(rank_of(a.attn_weight.element(i)), rank_of(b.attn_weight.element(i))));
    const Level& level = a.levels[static_cast<std::size_t>(i / a.dims.P % a.dims.L)];
    for (std::int64_t axis = 0; axis < 2; ++axis) {
      const std::int64_t side = axis == 0 ? level.width : level.height;
      add(compare(rank_of_location(static_cast<T>(a.sampling_loc.element(2 * i + axis)), side),
                  rank_of_location(static_cast<T>(b.sampling_loc.element(2 * i + axis)), side)));
    }
  }
  return order;
}

}  // namespace

NumberRank rank_of(double number) {
  if (std::isnan(number)) return {101, 0, 0, 0, 0};
  const int sign = std::signbit(number) ? 1 : 0;
  if (std::isinf(number)) return {100, 0, 0, 0, sign};
  if (number == 0) return {0, 0, 0, 0, sign};
  int exponent = 0;
  const double fraction = std::frexp(std::abs(number), &exponent);
  auto odd = static_cast<std::uint64_t>(fraction * 0x1p53);
  exponent -= 53;
  const int zeros = std::countr_zero(odd);
  odd >>= zeros;
  exponent += zeros;
  return {0, static_cast<int>(std::bit_width(odd)), exponent >= 0 ? 2 * exponent : -2 * exponent + 1, odd,
          sign};
}

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
  for (const Level& level : problem.levels) extents += 1 + level.height + level.width;
  std::int64_t layouts = 0;
  for (const NamedTensor& input : c.inputs)
    layouts += complexity(traits_of(input.tensor), input.tensor.shape());
  return {extents, level_disorder(problem), step_rank(problem.im2col_step), layouts};
}

bool is_simpler(const Case& a, const Case& b) {
  const auto rank_a = structure_rank(a);
  const auto rank_b = structure_rank(b);
  if (rank_a != rank_b) return rank_a < rank_b;
  const Problem left = parse(a);
  const Problem right = parse(b);
  if (left.value.shape() != right.value.shape() || left.sampling_loc.shape() != right.sampling_loc.shape())
    return false;
  const Order order = left.dtype == DType::kFloat64 ? compare_elements<double>(left, right)
                                                    : compare_elements<float>(left, right);
  return order == Order::kSimpler;
}

}  // namespace deformdiff::ms_deform_attn
