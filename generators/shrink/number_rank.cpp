#include "generators/shrink/number_rank.h"

#include "generators/common/numbers.h"

#include <bit>
#include <cmath>
#include <limits>

namespace deformdiff {
namespace {

double leading_power(double x) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::copysign(std::ldexp(1.0, exponent - 1), x);
}

/// The power of two half-way to 1.
double halved_exponent(double x) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::copysign(std::ldexp(1.0, (exponent - 1) / 2), x);
}

/// The power of two one step nearer to 1.
double nearer_power(double x) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::copysign(std::ldexp(1.0, exponent - 1 + (exponent > 1 ? -1 : 1)), x);
}

double first_nonfinite(double x) {
  return std::isnan(x) ? std::numeric_limits<double>::infinity() : x;
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

const std::vector<NumberRounding>& number_roundings() {
  static const std::vector<NumberRounding> roundings{[](double x) { return std::abs(first_nonfinite(x)); },
                                                     [](double x) { return first_nonfinite(x); },
                                                     [](double x) { return leading_power(x); },
                                                     [](double x) { return nearest_multiple(x, 1); },
                                                     [](double x) { return halved_exponent(x); },
                                                     [](double x) { return nearer_power(x); },
                                                     [](double x) { return nearest_multiple(x, 0.5); },
                                                     [](double x) { return nearest_multiple(x, 0.125); }};
  return roundings;
}

}  // namespace deformdiff
