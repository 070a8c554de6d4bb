// Numbers of 16 bits: float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32). Without
// branches, so that loops over many are vectorised.
#pragma once

#include "core/dtype.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace deformdiff {

constexpr bool is_sixteen_bits(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

struct SixteenBitFormat {
  int precision;       ///< significand bits, the implicit one included
  int least_exponent;  ///< of normal numbers
  double largest;
};
inline constexpr SixteenBitFormat kFloat16Format{11, -14, 0x1.ffcp15};
inline constexpr SixteenBitFormat kBFloat16Format{8, -126, 0x1.fep127};

/// The format of float16 or bfloat16.
constexpr const SixteenBitFormat& sixteen_bit_format(DType dtype) {
  return dtype == DType::kFloat16 ? kFloat16Format : kBFloat16Format;
}

inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// A NaN keeps its payload.
inline float float16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7fff) << 13;
  constexpr std::uint32_t kInfinity = 0x7c00U << 13;
  // Exponents are 112 apart; those of infinity and NaN twice that. A subnormal is a multiple of 2^-24.
  const std::uint32_t rebiased = magnitude + (112U << 23) + (magnitude >= kInfinity ? 112U << 23 : 0);
  const float subnormal = static_cast<float>(static_cast<std::int32_t>(bits & 0x3ff)) * 0x1p-24F;
  const std::uint32_t number = (bits & 0x7c00) == 0 ? std::bit_cast<std::uint32_t>(subnormal) : rebiased;
  return std::bit_cast<float>(sign | number);
}

inline float sixteen_bits_to_float(DType dtype, std::uint16_t bits) {
  return dtype == DType::kFloat16 ? float16_to_float(bits) : bfloat16_to_float(bits);
}

inline void widen(DType dtype, const std::uint16_t* bits, std::size_t count, float* numbers) {
  if (dtype == DType::kFloat16) {
    for (std::size_t i = 0; i < count; ++i) numbers[i] = float16_to_float(bits[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) numbers[i] = bfloat16_to_float(bits[i]);
  }
}

/// The nearest number of the format, ties to even; infinite where that is beyond the largest. Infinities and
/// NaN are themselves.
inline double round_to(const SixteenBitFormat& format, double t) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  constexpr int kBias = 1023, kFraction = 52;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(t);
  const double size = std::bit_cast<double>(bits & ~kSign);
  // Far beyond the largest number any exponent will do.
  const int exponent =
      std::clamp(static_cast<int>((bits & ~kSign) >> kFraction), format.least_exponent + kBias, 200 + kBias);
  // A sum with 1.5 * 2^52 units is a multiple of the unit.
  const auto biased = static_cast<std::uint64_t>(exponent - (format.precision - 1) + kFraction);
  const double shift = std::bit_cast<double>(biased << kFraction | std::uint64_t{1} << (kFraction - 1));
  const double rounded = (size + shift) - shift;
  const double beyond = size * std::numeric_limits<double>::infinity();  // a NaN stays one
  const double magnitude = rounded <= format.largest ? rounded : beyond;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) | (bits & kSign));
}

/// The bits of a number that the format has, an infinity or a NaN.
inline std::uint16_t bfloat16_of(float number) {
  const auto bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16);
  // A NaN whose payload is in the lower half is another NaN, not an infinity.
  return number != number ? static_cast<std::uint16_t>(bits | 0x40) : bits;
}
inline std::uint16_t float16_of(float number) {
  constexpr std::uint32_t kNormal = 113U << 23, kInfinity = 0x7f800000;  // in float32
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(number), size = bits & 0x7fffffff;
  const float small = std::bit_cast<float>(size < kNormal ? size : 0);
  const auto subnormal = static_cast<std::uint32_t>(static_cast<std::int32_t>(small * 0x1p24F));
  const std::uint32_t finite = size < kNormal ? subnormal : (size >> 13) - (112U << 10);
  const std::uint32_t special = size > kInfinity ? 0x7e00 | (size >> 13 & 0x1ff) : 0x7c00;
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000) | (size < kInfinity ? finite : special));
}

/// The number of 16 bits nearest to `t`, to be stored.
inline std::uint16_t sixteen_bits_of(DType dtype, double t) {
  const auto number = static_cast<float>(round_to(sixteen_bit_format(dtype), t));
  return dtype == DType::kFloat16 ? float16_of(number) : bfloat16_of(number);
}

}  // namespace deformdiff
