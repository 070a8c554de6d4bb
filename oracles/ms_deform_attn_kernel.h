// The loop over channels and sampling points that takes most of the oracle's time. No contraction: the same
// bits on every machine, whichever vector width is used.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace deformdiff::ms_deform_attn {

/// Channels that are summed at once: kLanes - 1 elements behind a row must be readable.
constexpr std::int64_t kLanes = 8;

/// How the bound of an element grows with the four corner values of one sampling point.
struct BoundTerms {
  std::array<double, 4> magnitude{};  ///< |a| w_c
  std::array<double, 4> absolute{};   ///< factor of |v_c|
  double near_x = 1, far_x = 0, near_y = 1, far_y = 0;
  double shift_x = 0, shift_y = 0, shift_xy = 0;  ///< |a| times shifts; factors of the local slopes
};

/// One cell of a map in which a sampling point may fall. `corners` are rows of channels.
template <typename T>
struct Cell {
  std::array<const T*, 4> corners{};
  BoundTerms terms;
};

/// One sampling point: the next `cells` cells, the value's among them.
struct Contribution {
  std::array<double, 4> weights{};  ///< of the value cell's corners
  std::int64_t cells = 1;
  std::int64_t value_cell = 0;
};

/// Sums over all points, in their order:
///   value[d] += sum over corners of weights[c] * corners[c][d], of the value cell;
///   magnitude[d] += the largest over its cells of sum over corners of magnitude[c] |v_c|;
///   bound[d] += the largest of sum of absolute[c] |v_c|, plus the largest of shift_x |Sx|, and so on.
/// `value`, `bound` and `magnitude` are overwritten. For double, the value is left to add_value().
void sum_up(std::span<const Contribution> points, const Cell<float>* cells, std::int64_t channels,
            double* value, double* bound, double* magnitude);
void sum_up(std::span<const Contribution> points, const Cell<double>* cells, std::int64_t channels,
            double* bound, double* magnitude);

/// value[d] += sum over corners of weights[c] * corners[c][d].
void add_value(const std::array<const double*, 4>& corners, const std::array<long double, 4>& weights,
               std::int64_t channels, long double* value);

}  // namespace deformdiff::ms_deform_attn
