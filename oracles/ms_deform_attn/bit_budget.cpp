#include "oracles/ms_deform_attn/bit_budget.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace deformdiff::ms_deform_attn {

void Grid::add(double t) {
  if (t == 0) return;
  int exponent = 0;
  const auto significand = static_cast<std::uint64_t>(std::ldexp(std::fabs(std::frexp(t, &exponent)), 53));
  digits = std::max(digits, 53 - exponent - std::countr_zero(significand));
  largest = std::max(largest, std::fabs(t));
}

bool fits(double magnitude, int digits, const Rounding& rounding) {
  return std::ldexp(magnitude, digits) <= std::ldexp(1.0, rounding.precision) &&
         magnitude < rounding.largest && std::ldexp(1.0, -digits) >= rounding.tiny;
}

bool add_axis(double location, std::int64_t side, const Rounding& rounding, int& fraction_digits) {
  const int side_digits = std::countr_zero(static_cast<std::uint64_t>(side));
  Grid grid;
  grid.add(location);
  if (!fits(4 * (std::fabs(location) + 1), std::max(grid.digits, side_digits + 1), rounding)) return false;
  fraction_digits = std::max({fraction_digits, 1, grid.digits - side_digits});
  return true;
}

}  // namespace deformdiff::ms_deform_attn
