// Help for the oracle's tests: cases from plain numbers, and random ones that aim at trouble.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "core/dtype_dispatch.h"
#include "core/random.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// One case as plain arrays; row-major in the block's shapes.
template <typename T>
struct PlainCase {
  Dims dims{1, 0, 1, 1, 1, 1, 1};
  std::vector<Level> levels;
  std::vector<T> value, locations, weights;

  void set_levels(const std::vector<std::pair<std::int64_t, std::int64_t>>& sides) {
    levels.clear();
    dims.S = 0;
    for (const auto& [height, width] : sides) {
      levels.push_back({height, width, dims.S});
      dims.S += height * width;
    }
    dims.L = static_cast<std::int64_t>(sides.size());
  }
  /// Room for every tensor; call after the extents are set.
  void resize() {
    value.assign(static_cast<std::size_t>(dims.N * dims.S * dims.M * dims.D), 0);
    weights.assign(static_cast<std::size_t>(dims.N * dims.Q * dims.M * dims.L * dims.P), 1);
    locations.assign(2 * weights.size(), T(0.5));
  }
  T& at(std::int64_t n, std::int64_t s, std::int64_t m, std::int64_t d) {
    return value[static_cast<std::size_t>(((n * dims.S + s) * dims.M + m) * dims.D + d)];
  }
  T get(std::int64_t n, std::int64_t s, std::int64_t m, std::int64_t d) const {
    return value[static_cast<std::size_t>(((n * dims.S + s) * dims.M + m) * dims.D + d)];
  }

  Case build() const {
    const DType dtype = kDTypeOf<T>;
    std::vector<std::int64_t> sides, starts;
    for (const Level& level : levels) {
      sides.insert(sides.end(), {level.height, level.width});
      starts.push_back(level.start);
    }
    const Dims& k = dims;
    return {"ms_deform_attn",
            {{"im2col_step", 64}},
            {{"value", Tensor::of<T>(dtype, {k.N, k.S, k.M, k.D}, value)},
             {"spatial_shapes", Tensor::of<std::int64_t>(DType::kInt64, {k.L, 2}, sides)},
             {"level_start_index", Tensor::of<std::int64_t>(DType::kInt64, {k.L}, starts)},
             {"sampling_loc", Tensor::of<T>(dtype, {k.N, k.Q, k.M, k.L, k.P, 2}, locations)},
             {"attn_weight", Tensor::of<T>(dtype, {k.N, k.Q, k.M, k.L, k.P}, weights)}},
            {}};
  }
};

/// A stream of random choices.
class Dice {
 public:
  explicit Dice(std::uint64_t key) : random_(key) {}
  std::int64_t below(std::uint64_t n) { return static_cast<std::int64_t>(random_.below(next_++, n)); }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + below(static_cast<std::uint64_t>(high - low + 1));
  }
  double uniform(double low, double high) { return low + (high - low) * random_.uniform(next_++); }

 private:
  CounterRandom random_;
  std::uint64_t next_ = 0;
};

template <typename T>
T moved_by_ulps(T t, std::int64_t ulps) {
  const T towards = ulps > 0 ? std::numeric_limits<T>::infinity() : -std::numeric_limits<T>::infinity();
  for (std::int64_t i = 0; i < std::abs(ulps); ++i) t = std::nextafter(t, towards);
  return t;
}

/// Interior, pixel centres and borders with a few ulps, tiny, far outside.
template <typename T>
T tricky_location(Dice& dice, std::int64_t side) {
  const double width = static_cast<double>(side);
  switch (dice.below(8)) {
    case 0:
      return moved_by_ulps(static_cast<T>((static_cast<double>(dice.between(0, side - 1)) + 0.5) / width),
                           dice.between(-3, 3));
    case 1:
      return moved_by_ulps(static_cast<T>((dice.below(2) != 0 ? -0.5 : width + 0.5) / width),
                           dice.between(-3, 3));
    case 2:
      return moved_by_ulps(static_cast<T>(dice.below(3) * 0.5), dice.between(-3, 3));
    case 3:
      return static_cast<T>(std::ldexp(dice.uniform(-1, 1), -static_cast<int>(dice.between(0, 160))));
    case 4:
      return static_cast<T>(dice.uniform(-0.6, 0.6) / width + static_cast<double>(dice.below(2)));
    case 5:
      return static_cast<T>(dice.uniform(-3, 3));
    default:
      return static_cast<T>(dice.uniform(0, 1));
  }
}

/// Values of one kind for a whole case: cancelling, sparse, constant, of every size, near underflow, near
/// overflow.
template <typename T>
void fill_tricky_values(Dice& dice, std::vector<T>& values) {
  const std::int64_t kind = dice.below(9);
  const int low = std::numeric_limits<T>::min_exponent, high = std::numeric_limits<T>::max_exponent;
  for (T& v : values) {
    const double sign = dice.below(2) != 0 ? 1 : -1;
    double t = dice.uniform(-1, 1);
    if (kind == 0) t = sign * dice.uniform(0.999, 1.001);
    if (kind == 1) t = dice.below(4) == 0 ? t : 0;
    if (kind == 2) t = 1.1;
    if (kind == 3) t = std::ldexp(t, static_cast<int>(dice.between(-30, 30)));
    if (kind == 4) t = std::ldexp(t, low + static_cast<int>(dice.between(-24, 6)));
    if (kind == 5) t = 1000 + t;
    if (kind == 6) t = std::ldexp(t, high - static_cast<int>(dice.between(0, 8)));
    v = static_cast<T>(t);
  }
}

template <typename T>
void fill_tricky_weights(Dice& dice, std::vector<T>& weights) {
  const std::int64_t kind = dice.below(6);
  const int low = std::numeric_limits<T>::min_exponent;
  for (T& a : weights) {
    double t = dice.uniform(0, 1);
    if (kind == 0) t = dice.below(3) == 0 ? 1 : 0;
    if (kind == 1) t = dice.uniform(-2, 2);
    if (kind == 2) t = std::ldexp(1.0, static_cast<int>(dice.between(-4, 1)));
    if (kind == 3) t = std::ldexp(t, low / 2 + static_cast<int>(dice.between(-24, 6)));
    a = static_cast<T>(t);
  }
}

template <typename T>
PlainCase<T> tricky_case(std::uint64_t key) {
  Dice dice(key);
  PlainCase<T> c;
  c.dims = {dice.between(1, 2), 0, dice.between(1, 2), dice.between(1, 3),
            dice.between(1, 4), 1, dice.between(1, 4)};
  std::vector<std::pair<std::int64_t, std::int64_t>> sides;
  const std::int64_t levels = dice.between(1, 3);
  const std::int64_t longest = dice.below(4) == 0 ? 2000 : (dice.below(3) == 0 ? 64 : 6);
  for (std::int64_t l = 0; l < levels; ++l) {
    const std::int64_t side = dice.between(1, longest);
    const std::int64_t other =
        longest > 64 ? dice.between(1, 3) : dice.between(1, std::min<std::int64_t>(longest, 40));
    dice.below(2) != 0 ? sides.emplace_back(side, other) : sides.emplace_back(other, side);
  }
  c.set_levels(sides);
  c.resize();
  fill_tricky_values(dice, c.value);
  fill_tricky_weights(dice, c.weights);
  for (std::size_t i = 0; i < c.weights.size(); ++i) {
    const Level& level =
        c.levels[i / static_cast<std::size_t>(c.dims.P) % static_cast<std::size_t>(c.dims.L)];
    c.locations[2 * i] = tricky_location<T>(dice, level.width);
    c.locations[2 * i + 1] = tricky_location<T>(dice, level.height);
  }
  return c;
}

}  // namespace deformdiff::ms_deform_attn
