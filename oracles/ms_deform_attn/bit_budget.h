// Binary digits that numbers need, and whether a dtype has them.
#pragma once

#include "oracles/arithmetic/rounding.h"

#include <cstdint>

namespace deformdiff::ms_deform_attn {

/// Binary digits after the point that the numbers seen need, and their largest magnitude. Never negative:
/// whole numbers count as multiples of 1.
struct Grid {
  int digits = 0;
  double largest = 0;

  void add(double t);
};

/// Multiples of 2^-digits up to `magnitude` are numbers of the dtype and in its normal range.
bool fits(double magnitude, int digits, const Rounding& rounding);

/// Budget of one axis, whose side is a power of two: digits of the fraction inside the cell; false if some
/// formula for the coordinate may round.
bool add_axis(double location, std::int64_t side, const Rounding& rounding, int& fraction_digits);

}  // namespace deformdiff::ms_deform_attn
