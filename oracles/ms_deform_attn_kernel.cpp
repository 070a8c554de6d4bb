#include "oracles/ms_deform_attn_kernel.h"

#include <algorithm>
#include <cstring>

// Vectors stay inside this file, in functions that are inlined: their calling convention is of no matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace deformdiff::ms_deform_attn {
namespace {

#define DEFORMDIFF_INLINE [[gnu::always_inline]] inline

/// Eight channels beside each other; the compiler cuts them to the machine's registers.
using Lanes = double __attribute__((vector_size(kLanes * sizeof(double))));
using FloatLanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using LaneBits = std::int64_t __attribute__((vector_size(kLanes * sizeof(std::int64_t))));

DEFORMDIFF_INLINE Lanes load(const float* from) {
  FloatLanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return __builtin_convertvector(lanes, Lanes);
}
DEFORMDIFF_INLINE Lanes load(const double* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
DEFORMDIFF_INLINE void store(const Lanes& lanes, std::int64_t count, double* to) {
  if (count >= kLanes) {
    std::memcpy(to, &lanes, sizeof lanes);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = lanes[i];
  }
}
DEFORMDIFF_INLINE Lanes magnitude_of(const Lanes& t) {
  return reinterpret_cast<Lanes>(reinterpret_cast<LaneBits>(t) & INT64_MAX);
}
DEFORMDIFF_INLINE Lanes larger(const Lanes& a, const Lanes& b) {
  return a > b ? a : b;
}

/// One cell's share of everything, for eight channels.
struct CellSums {
  Lanes value, magnitude, rounding, moved_x, moved_y, moved_xy;
};

template <typename T>
DEFORMDIFF_INLINE CellSums sums_of(const Cell<T>& cell, const std::array<double, 4>& w, std::int64_t d) {
  const BoundTerms& t = cell.terms;
  const Lanes a = load(cell.corners[0] + d), b = load(cell.corners[1] + d);
  const Lanes c = load(cell.corners[2] + d), e = load(cell.corners[3] + d);
  const Lanes top = b - a, bottom = e - c;
  const Lanes slope_x = t.near_y * top + t.far_y * bottom;
  const Lanes slope_y = t.near_x * (c - a) + t.far_x * (e - b);
  const Lanes ma = magnitude_of(a), mb = magnitude_of(b), mc = magnitude_of(c), me = magnitude_of(e);
  CellSums sums;
  sums.value = (w[0] * a + w[1] * b) + (w[2] * c + w[3] * e);
  sums.magnitude = (t.magnitude[0] * ma + t.magnitude[1] * mb) + (t.magnitude[2] * mc + t.magnitude[3] * me);
  sums.rounding = (t.absolute[0] * ma + t.absolute[1] * mb) + (t.absolute[2] * mc + t.absolute[3] * me);
  sums.moved_x = t.shift_x * magnitude_of(slope_x);
  sums.moved_y = t.shift_y * magnitude_of(slope_y);
  sums.moved_xy = t.shift_xy * magnitude_of(bottom - top);
  return sums;
}

/// The computed position may lie in one of several cells: the largest slope and rounding over all of them.
template <typename T>
DEFORMDIFF_INLINE CellSums largest_of(const Contribution& point, const Cell<T>* cells, std::int64_t d) {
  CellSums largest = sums_of(cells[0], point.weights, d);
  for (std::int64_t i = 1; i < point.cells; ++i) {
    const CellSums sums = sums_of(cells[i], point.weights, d);
    if (i == point.value_cell) largest.value = sums.value;
    largest.magnitude = larger(largest.magnitude, sums.magnitude);
    largest.rounding = larger(largest.rounding, sums.rounding);
    largest.moved_x = larger(largest.moved_x, sums.moved_x);
    largest.moved_y = larger(largest.moved_y, sums.moved_y);
    largest.moved_xy = larger(largest.moved_xy, sums.moved_xy);
  }
  return largest;
}

template <typename T>
DEFORMDIFF_INLINE void sum_lanes(std::span<const Contribution> points, const Cell<T>* cells,
                                 std::int64_t channels, double* value, double* bound, double* magnitude) {
  for (std::int64_t d = 0; d < channels; d += kLanes) {
    Lanes values{}, bounds{}, magnitudes{};
    const Cell<T>* cell = cells;
    for (const Contribution& point : points) {
      if (point.cells == 1) {
        const CellSums sums = sums_of(*cell, point.weights, d);
        values += sums.value;
        magnitudes += sums.magnitude;
        bounds += sums.rounding + ((sums.moved_x + sums.moved_y) + sums.moved_xy);
      } else {
        const CellSums sums = largest_of(point, cell, d);
        values += sums.value;
        magnitudes += sums.magnitude;
        bounds += ((sums.rounding + sums.moved_x) + sums.moved_y) + sums.moved_xy;
      }
      cell += point.cells;
    }
    if (value != nullptr) store(values, channels - d, value + d);
    store(bounds, channels - d, bound + d);
    store(magnitudes, channels - d, magnitude + d);
  }
}

// One binary for every machine: the loop is compiled for three levels of the architecture.
#if defined(__x86_64__) && defined(__GNUC__)

enum class Level { kBase, kV3, kV4 };

Level machine_level() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd")) {
    return Level::kV4;
  }
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")
             ? Level::kV3
             : Level::kBase;
}

const Level kLevel = machine_level();

template <typename T>
[[gnu::target("arch=x86-64-v4")]] void sum_v4(std::span<const Contribution> points, const Cell<T>* cells,
                                              std::int64_t channels, double* value, double* bound,
                                              double* magnitude) {
  sum_lanes(points, cells, channels, value, bound, magnitude);
}
template <typename T>
[[gnu::target("arch=x86-64-v3")]] void sum_v3(std::span<const Contribution> points, const Cell<T>* cells,
                                              std::int64_t channels, double* value, double* bound,
                                              double* magnitude) {
  sum_lanes(points, cells, channels, value, bound, magnitude);
}

template <typename T>
void sum_any(std::span<const Contribution> points, const Cell<T>* cells, std::int64_t channels, double* value,
             double* bound, double* magnitude) {
  switch (kLevel) {
    case Level::kV4:
      return sum_v4(points, cells, channels, value, bound, magnitude);
    case Level::kV3:
      return sum_v3(points, cells, channels, value, bound, magnitude);
    case Level::kBase:
      return sum_lanes(points, cells, channels, value, bound, magnitude);
  }
}

#else

template <typename T>
void sum_any(std::span<const Contribution> points, const Cell<T>* cells, std::int64_t channels, double* value,
             double* bound, double* magnitude) {
  sum_lanes(points, cells, channels, value, bound, magnitude);
}

#endif

}  // namespace

void sum_up(std::span<const Contribution> points, const Cell<float>* cells, std::int64_t channels,
            double* value, double* bound, double* magnitude) {
  sum_any(points, cells, channels, value, bound, magnitude);
}

void sum_up(std::span<const Contribution> points, const Cell<double>* cells, std::int64_t channels,
            double* bound, double* magnitude) {
  sum_any(points, cells, channels, nullptr, bound, magnitude);
}

void add_value(const std::array<const double*, 4>& corners, const std::array<long double, 4>& weights,
               std::int64_t channels, long double* __restrict value) {
  const auto& [v00, v01, v10, v11] = corners;
  for (std::int64_t d = 0; d < channels; ++d) {
    value[d] += (weights[0] * v00[d] + weights[1] * v01[d]) + (weights[2] * v10[d] + weights[3] * v11[d]);
  }
}

}  // namespace deformdiff::ms_deform_attn
