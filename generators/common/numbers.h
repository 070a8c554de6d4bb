// Numbers from random words and from other numbers, by + - * /, floor and bits alone: identical on every
// platform.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace deformdiff {

/// Close to N(0, 1): the sum of four uniforms of 16 bits, its low bits filled so that the significand is
/// dense. Range (-3.47, 3.47).
inline double normal(std::uint64_t word) {
  const auto sum = static_cast<std::int64_t>((word & 0xffff) + ((word >> 16) & 0xffff) +
                                             ((word >> 32) & 0xffff) + (word >> 48));
  const auto fill = static_cast<std::int64_t>((word * 0x9e3779b97f4a7c15ULL) >> 29);
  // Mean 2 * 65536, variance 4 * 65536^2 / 12; 35 bits of fill.
  const std::int64_t centred = ((sum - 2 * 65535) << 35) + fill - (std::int64_t{1} << 34);
  return static_cast<double>(centred) * (0x1.bb67ae8584caap+0 * 0x1p-51);
}

/// The same from 32 bits, with a significand of 24.
inline float normal_float(std::uint32_t word) {
  const auto sum =
      static_cast<std::int32_t>((word & 0xff) + ((word >> 8) & 0xff) + ((word >> 16) & 0xff) + (word >> 24));
  const auto fill = static_cast<std::int32_t>((word * 0x9e3779b1U) >> 18);
  const std::int32_t centred = (sum - 2 * 255) * (1 << 14) + fill - (1 << 13);
  return static_cast<float>(centred) * (0x1.bb67aep+0F * 0x1p-22F);
}

/// Uniform in [0, 1) from the upper 53 bits.
inline double unit(std::uint64_t word) {
  return static_cast<double>(word >> 11) * 0x1.0p-53;
}

/// The multiple of `unit`, a power of two, nearest to x; of two the upper one.
inline double nearest_multiple(double x, double unit) {
  return std::floor(x / unit + 0.5) * unit;
}

/// `value` moved by `ulps` representable numbers; stays finite for finite values far from the largest.
template <typename T>
T step_ulps(T value, int ulps) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const Bits raw = std::bit_cast<Bits>(value);
  // Two's complement order of the numbers: negative ones count down from zero.
  const Bits ordered = raw >= 0 ? raw : static_cast<Bits>(std::numeric_limits<Bits>::min() - raw);
  const Bits moved = static_cast<Bits>(ordered + ulps);
  return std::bit_cast<T>(moved >= 0 ? moved : static_cast<Bits>(std::numeric_limits<Bits>::min() - moved));
}

}  // namespace deformdiff
