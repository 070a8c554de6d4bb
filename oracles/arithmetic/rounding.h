// The numbers of rounding error analysis. Source: N. J. Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd edition, SIAM 2002, chapters 2 to 4. Derivations are in oracles/README.md.
#pragma once

#include "core/dtype.h"
#include "core/error.h"
#include "core/precision.h"
#include "core/sixteen_bits.h"

#include <bit>
#include <cstdint>
#include <limits>
#include <string>

namespace deformdiff {

/// What one operation in the declared arithmetic can lose.
struct Rounding {
  double unit;       ///< u: |fl(t) - t| <= u |t| in the normal range (Higham 2.4)
  double underflow;  ///< |fl(t) - t| below the normal range; at least half the smallest subnormal
  double tiny;       ///< smallest normal number
  double largest;
  int precision;       ///< significand bits
  int least_exponent;  ///< of normal numbers
  bool flush_to_zero;
};

/// Whether t, a number of the oracle's own type, is one of the format that is T's or of 16 bits.
template <typename T, typename Scalar>
bool is_number_of(Scalar t, const Rounding& rounding) {
  if (rounding.precision >= std::numeric_limits<T>::digits)
    return static_cast<Scalar>(static_cast<T>(t)) == t;
  const auto number = static_cast<double>(t);
  return static_cast<Scalar>(number) == t &&
         round_to({rounding.precision, rounding.least_exponent, rounding.largest}, number) == number;
}

/// Calls work with the C++ type that holds numbers of a floating format, and the format, as template
/// arguments: <float, DType::kBFloat16>. Numbers of 16 bits are held as floats.
template <typename Work>
decltype(auto) with_format(DType format, const Work& work) {
  switch (format) {
    case DType::kFloat16:
      return work.template operator()<float, DType::kFloat16>();
    case DType::kBFloat16:
      return work.template operator()<float, DType::kBFloat16>();
    case DType::kFloat32:
      return work.template operator()<float, DType::kFloat32>();
    case DType::kFloat64:
      return work.template operator()<double, DType::kFloat64>();
    default:
      throw InternalError("no arithmetic in " + std::string(name_of(format)));
  }
}

/// Of arithmetic in `dtype`. Where subnormals are flushed, one operation, or one operand read as zero, can
/// lose up to the smallest normal number. For float64 `underflow` is the whole smallest subnormal: its half
/// is no double, and the bounds are computed in double. Every step rounds in `dtype`, whatever
/// precision.arithmetic says.
Rounding rounding_of(DType dtype, const Precision& precision);

/// gamma_n / (n u) = 1 / (1 - n u) (Higham, lemma 3.1): turns a first-order bound over paths of at most n
/// roundings into a rigorous one. Infinite where n u >= 1/2.
double second_order_factor(double roundings, double unit);

/// Unit in the first place: the largest power of two <= |t|, 0 for 0. Rounding to nearest loses at most
/// u * ufp(t), up to twice less than u |t| (Rump, Ogita, Oishi: Accurate floating-point summation, 2008, part
/// I).
inline double first_place(double t) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(t) & 0x7ff0000000000000ULL);
}

}  // namespace deformdiff
