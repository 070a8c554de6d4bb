// The loop over channels and sampling points that takes most of the oracle's time. No contraction: the same
// bits on every machine, whichever vector width is used.
#pragma once

#include "oracles/ms_deform_attn/weights.h"

#include <array>
#include <cstdint>
#include <span>

namespace deformdiff::ms_deform_attn {

/// Rows of channels at the four corners of a cell. kLanes - 1 elements behind each must be readable.
template <typename T>
using Rows = std::array<const T*, 4>;

/// One sampling point: the next `cells` cells, the value's among them.
struct Contribution {
  std::array<double, 4> weights{};  ///< of the value cell's corners
  std::int64_t cells = 1;
  std::int64_t value_cell = 0;
};

/// Sums over all points, in their order:
///   value[d] += sum over corners of weights[c] * rows[c][d], of the value cell;
///   magnitude[d] += the largest over its cells of sum over corners of magnitude[c] |v_c|;
///   bound[d] += the largest of sum of absolute[c] |v_c|, plus the largest of shift_x |Sx|, and so on.
/// `rows` and `terms` (eight an element) are of all points' cells. `value`, `bound` and `magnitude` are
/// overwritten. For double, the value is left to add_value().
void sum_up(std::span<const Contribution> points, const Rows<float>* rows, const CellTerms* terms,
            std::int64_t channels, double* value, double* bound, double* magnitude);
void sum_up(std::span<const Contribution> points, const Rows<double>* rows, const CellTerms* terms,
            std::int64_t channels, double* bound, double* magnitude);

/// value[d] += sum over corners of weights[c] * corners[c][d].
void add_value(const Rows<double>& corners, const std::array<long double, 4>& weights, std::int64_t channels,
               long double* value);

}  // namespace deformdiff::ms_deform_attn
