// The admissible answers to a case, as plain data: what an oracle hands to the comparator.
#pragma once

#include "core/tensor.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

/// Which kinds of number an element may be; a bit set.
enum Admits : std::uint8_t {
  kAdmitsFinite = 1,  ///< a finite number inside value +- bound
  kAdmitsNan = 2,     ///< any NaN
  kAdmitsPlusInf = 4,
  kAdmitsMinusInf = 8,
  kAdmitsAnything = 16,  ///< any number at all: intermediate results may overflow
};

/// The set that holds the number's kind alone.
inline std::uint8_t kind_of(double value) {
  if (std::isnan(value)) return kAdmitsNan;
  if (std::isinf(value)) return value > 0 ? kAdmitsPlusInf : kAdmitsMinusInf;
  return kAdmitsFinite;
}

/// Another interval of one element, as finite numbers where the mathematics has a jump.
struct Alternative {
  std::int64_t element;
  double value;      ///< rounded to double
  double value_low;  ///< exact value minus `value`
  double bound;
};

/// One output: per element, in row-major order, a value and the radius of its admissible interval.
struct OutputReference {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::vector<double> value;         ///< rounded to double
  std::vector<double> value_low;     ///< exact value minus `value`; empty where double is exact enough
  std::vector<double> bound;         ///< >= 0; 0 demands the same number (-0 equals +0)
  std::vector<std::uint8_t> admits;  ///< set of Admits an element; empty if every element is finite
  /// Of elements whose set is a union of intervals, those beside the one above, in ascending order of their
  /// elements. A number is judged by the one that it is nearest to.
  std::vector<Alternative> alternatives{};
};

/// Admissible sets of all outputs of a case under one Precision and Contract.
struct Reference {
  std::vector<OutputReference> outputs;
  /// Elements whose set is narrow and whose value is not trivially zero: those that could show a fault.
  std::int64_t telling_elements = 0;
  std::int64_t total_elements = 0;
  std::string vacuous;  ///< why an agreement would prove nothing (rule 7); empty if it would prove something
};

}  // namespace deformdiff
