// What an operation says of one element of its output, for a subject that computes in T: float or double.
#pragma once

#include "core/reference.h"
#include "oracles/arithmetic/rounding.h"
#include "oracles/arithmetic/wide.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace deformdiff::operation {

/// The parts of a bound.
enum Term : std::uint8_t {
  kAccumulation,    ///< a sum of many terms
  kRounding,        ///< the few operations outside sums
  kOperands,        ///< of products, cut to fewer bits
  kTranscendental,  ///< exp, sin, pow, .. themselves, and the rounding of their arguments
  kCoordinates,     ///< rounded coordinates times slope
  kMoments,         ///< mean and variance of a normalisation
  kUnderflow,
  kTerms
};

/// One element: its value, first-order bound in parts, and kinds. `magnitude` is at least every intermediate
/// result: where it exceeds the largest number, the element may be anything.
template <typename T>
struct Element {
  Wide<T> value = 0;
  double magnitude = 0;
  std::array<double, kTerms> terms{};
  std::uint8_t admits = kAdmitsFinite;
};

/// Products of matrices: oracles/README.md, "Products".
struct MatrixHardware {
  double operand_error = 0;      ///< relative, of a product of two operands, for what they are cut to
  double operand_underflow = 0;  ///< what an operand below the normal range loses
  double parts = 1;              ///< products that stand for one
  double sum_unit = 0;           ///< largest relative error of an addition
  double sum_underflow = 0;      ///< and what it loses below the normal range
  double largest_sum = 0;
};

/// How the subject computes.
struct Setting {
  DType dtype;
  Rounding rounding;
  Coordinates coordinates;
  Variance variance;
  FunctionUlps ulps;
  MatrixHardware matrix;
  Convolutions convolutions;

  /// Relative error of a function that errs by so many ULPs of its result.
  double relative(double function_ulps) const { return 2 * function_ulps * rounding.unit; }
};

/// The element is exactly `value`, whatever kind that is.
template <typename T>
void demand(double value, Element<T>& element) {
  element = {};
  element.admits = kind_of(value);
  element.value = element.admits == kAdmitsFinite ? value : 0;
  element.magnitude = static_cast<double>(std::abs(element.value));
}

/// An intermediate result or the result may overflow, or nothing is known.
template <typename T>
void admit_anything(Element<T>& element) {
  element = {};
  element.admits = kAdmitsAnything;
}

/// Whether t is a number of what the subject computes in.
template <typename T>
bool fits(Wide<T> t, const Rounding& rounding) {
  return is_number_of<T>(t, rounding);
}

inline bool is_power_of_two(double t) {
  return t != 0 && std::isfinite(t) && std::abs(t) == first_place(t);
}

/// Error of rounding a result t that may already be off by `before`: none if it is surely a number of T.
template <typename T>
double rounding_error(Wide<T> t, double before, const Rounding& rounding) {
  if (before == 0 && fits<T>(t, rounding)) return 0;
  return rounding.unit * first_place(static_cast<double>(std::abs(t)) + before);
}

}  // namespace deformdiff::operation
