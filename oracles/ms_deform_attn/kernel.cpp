#include "oracles/ms_deform_attn/kernel.h"

#include <Eigen/Core>

namespace deformdiff::ms_deform_attn {
namespace {

/// All cells of a group.
template <typename T>
struct Cells {
  const Rows<T>* rows;
  const CellTerms* terms;
};

/// One cell's share of everything, for eight channels.
struct CellSums {
  Lanes value, magnitude, rounding, moved_x, moved_y, moved_xy;
};

template <typename T>
DEFORMDIFF_INLINE CellSums sums_of(const Cells<T>& cells, std::int64_t cell, const std::array<double, 4>& w,
                                   std::int64_t d) {
  const Rows<T>& rows = cells.rows[cell];
  const CellTerms& t = cells.terms[cell / kLanes];
  const auto i = static_cast<std::size_t>(cell % kLanes);
  const Lanes a = load(rows[0] + d), b = load(rows[1] + d), c = load(rows[2] + d), e = load(rows[3] + d);
  const Lanes top = b - a, bottom = e - c;
  const Lanes slope_x = t.near_y[i] * top + t.far_y[i] * bottom;
  const Lanes slope_y = t.near_x[i] * (c - a) + t.far_x[i] * (e - b);
  const Lanes ma = magnitude_of(a), mb = magnitude_of(b), mc = magnitude_of(c), me = magnitude_of(e);
  CellSums sums;
  sums.value = (w[0] * a + w[1] * b) + (w[2] * c + w[3] * e);
  sums.magnitude =
      (t.magnitude[0][i] * ma + t.magnitude[1][i] * mb) + (t.magnitude[2][i] * mc + t.magnitude[3][i] * me);
  sums.rounding =
      (t.absolute[0][i] * ma + t.absolute[1][i] * mb) + (t.absolute[2][i] * mc + t.absolute[3][i] * me);
  sums.moved_x = t.shift_x[i] * magnitude_of(slope_x);
  sums.moved_y = t.shift_y[i] * magnitude_of(slope_y);
  sums.moved_xy = t.shift_xy[i] * magnitude_of(bottom - top);
  return sums;
}

/// The computed position may lie in one of several cells: the largest slope and rounding over all of them.
template <typename T>
DEFORMDIFF_INLINE CellSums largest_of(const Cells<T>& cells, std::int64_t first, const Contribution& point,
                                      std::int64_t d) {
  CellSums largest = sums_of(cells, first, point.weights, d);
  for (std::int64_t i = 1; i < point.cells; ++i) {
    const CellSums sums = sums_of(cells, first + i, point.weights, d);
    if (i == point.value_cell) largest.value = sums.value;
    largest.magnitude = larger(largest.magnitude, sums.magnitude);
    largest.rounding = larger(largest.rounding, sums.rounding);
    largest.moved_x = larger(largest.moved_x, sums.moved_x);
    largest.moved_y = larger(largest.moved_y, sums.moved_y);
    largest.moved_xy = larger(largest.moved_xy, sums.moved_xy);
  }
  return largest;
}

DEFORMDIFF_INLINE void store_some(const Lanes& lanes, std::int64_t count, double* to) {
  if (count >= kLanes) return store(lanes, to);
  for (std::int64_t i = 0; i < count; ++i) to[i] = lanes[i];
}

/// `value` may be null.
struct SumUp {
  template <typename T>
  DEFORMDIFF_INLINE static void run(std::span<const Contribution> points, Cells<T> cells,
                                    std::int64_t channels, double* value, double* bound, double* magnitude) {
    for (std::int64_t d = 0; d < channels; d += kLanes) {
      Lanes values{}, bounds{}, magnitudes{};
      std::int64_t cell = 0;
      for (const Contribution& point : points) {
        if (point.cells == 1) {
          const CellSums sums = sums_of(cells, cell, point.weights, d);
          values += sums.value;
          magnitudes += sums.magnitude;
          bounds += sums.rounding + ((sums.moved_x + sums.moved_y) + sums.moved_xy);
        } else {
          const CellSums sums = largest_of(cells, cell, point, d);
          values += sums.value;
          magnitudes += sums.magnitude;
          bounds += ((sums.rounding + sums.moved_x) + sums.moved_y) + sums.moved_xy;
        }
        cell += point.cells;
      }
      if (value != nullptr) store_some(values, channels - d, value + d);
      store_some(bounds, channels - d, bound + d);
      store_some(magnitudes, channels - d, magnitude + d);
    }
  }
};

}  // namespace

void sum_up(std::span<const Contribution> points, const Rows<float>* rows, const CellTerms* terms,
            std::int64_t channels, double* value, double* bound, double* magnitude) {
  run_on_lanes<SumUp>(points, Cells<float>{rows, terms}, channels, value, bound, magnitude);
}

void sum_up(std::span<const Contribution> points, const Rows<double>* rows, const CellTerms* terms,
            std::int64_t channels, double* bound, double* magnitude) {
  run_on_lanes<SumUp>(points, Cells<double>{rows, terms}, channels, static_cast<double*>(nullptr), bound,
                      magnitude);
}

void add_value(const Rows<double>& corners, const std::array<long double, 4>& weights, std::int64_t channels,
               long double* value) {
  using Wide = Eigen::Array<long double, Eigen::Dynamic, 1>;
  const auto weighted = [&](std::size_t corner) {
    return weights[corner] * Eigen::Map<const Eigen::ArrayXd>(corners[corner], channels).cast<long double>();
  };
  Eigen::Map<Wide>(value, channels) += (weighted(0) + weighted(1)) + (weighted(2) + weighted(3));
}

}  // namespace deformdiff::ms_deform_attn
