#include "oracles/ms_deform_attn/exact_sums.h"

#include "oracles/ms_deform_attn/bit_budget.h"
#include "oracles/ms_deform_attn/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

/// Of all points that may contribute: digits of both fractions, weights, and the largest sum of a group's
/// weights.
struct PointBudget {
  int x_digits = 0, y_digits = 0;
  Grid weights;
  double weight_sum = 0;
};

template <typename T>
bool add_group(const Inputs<T>& inputs, const GroupIndex& at, const Rounding& rounding, PointBudget& budget) {
  using Scalar = Wide<T>;
  double sum = 0;
  for (std::int64_t l = 0; l < inputs.dims().L; ++l) {
    const Level& level = inputs.level(l);
    for (std::int64_t p = 0; p < inputs.dims().P; ++p) {
      const double weight = inputs.weight(at.n, at.q, at.m, l, p);
      const T* location = inputs.location(at.n, at.q, at.m, l, p);
      if (weight == 0) continue;
      if (!locate<Scalar>(location[0], level.width, Coordinates::kAny, rounding).in_reach() ||
          !locate<Scalar>(location[1], level.height, Coordinates::kAny, rounding).in_reach()) {
        continue;
      }
      if (!add_axis(location[0], level.width, rounding, budget.x_digits) ||
          !add_axis(location[1], level.height, rounding, budget.y_digits)) {
        return false;
      }
      budget.weights.add(weight);
      sum += std::fabs(weight);
      if (!fits(std::max(1.0, sum), budget.x_digits + budget.y_digits + budget.weights.digits, rounding))
        return false;
    }
  }
  budget.weight_sum = std::max(budget.weight_sum, sum);
  return true;
}

}  // namespace

template <typename T>
bool every_evaluation_is_exact(const Inputs<T>& inputs, const Rounding& rounding) {
  const Dims& dims = inputs.dims();
  for (std::int64_t l = 0; l < dims.L; ++l) {
    const Level& level = inputs.level(l);
    if (!std::has_single_bit(static_cast<std::uint64_t>(level.width)) ||
        !std::has_single_bit(static_cast<std::uint64_t>(level.height))) {
      return false;
    }
  }
  PointBudget points;
  for (std::int64_t n = 0; n < dims.N; ++n) {
    for (std::int64_t q = 0; q < dims.Q; ++q) {
      for (std::int64_t m = 0; m < dims.M; ++m) {
        if (!add_group(inputs, {n, q, m}, rounding, points)) return false;
      }
    }
  }
  // Sums of monomials of one point are at most 9 times the largest value: |v00| + |v01 - v00| + ... .
  Grid values;
  for (const T v : inputs.rows()) {
    values.add(v);
    const int digits = points.x_digits + points.y_digits + values.digits;
    if (!fits(9 * values.largest, digits, rounding)) return false;
    if (!fits(9 * values.largest * points.weight_sum, digits + points.weights.digits, rounding)) return false;
  }
  return fits(std::max(4.0, 4 * points.weight_sum), points.x_digits + points.y_digits + points.weights.digits,
              rounding);
}

template bool every_evaluation_is_exact(const Inputs<float>&, const Rounding&);
template bool every_evaluation_is_exact(const Inputs<double>&, const Rounding&);

}  // namespace deformdiff::ms_deform_attn
