// The order in which numbers get simpler, and the ways to simpler numbers.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace deformdiff {

/// How simple a number is; less is simpler. 0, 1, -1, 2, -2, 1/2, ..., 3, ...: with x = m * 2^e and m odd, by
/// the bits of m, |e|, m and the sign, in this order. Infinities and NaN are last.
struct NumberRank {
  int kind = 0;  ///< 0 a number; more for what is worse
  int bits = 0;
  int exponent = 0;
  std::uint64_t odd = 0;
  int sign = 0;
  auto operator<=>(const NumberRank&) const = default;
};

NumberRank rank_of(double number);

/// Roundings that keep some of a number: without the sign, to a power of two, integers, halves, eighths. A
/// rounding may make a number no simpler.
using NumberRounding = double (*)(double);
const std::vector<NumberRounding>& number_roundings();

}  // namespace deformdiff
