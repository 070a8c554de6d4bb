// __half and __nv_bfloat16 with the arithmetic of the device: every operation is rounded once, to nearest
// even.
#pragma once

#include "emulation/vector_types.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace deformdiff::emulation {

/// A floating format of 16 bits: 1 sign, `kExponentBits`, the rest significand.
template <int kExponentBits>
struct SixteenBitFormat {
  static constexpr int kSignificandBits = 15 - kExponentBits;
  static constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  static constexpr std::uint16_t kInfinity = ((1 << kExponentBits) - 1) << kSignificandBits;

  static float decode(std::uint16_t bits) {
    const int exponent = bits >> kSignificandBits & ((1 << kExponentBits) - 1);
    const int significand = bits & ((1 << kSignificandBits) - 1);
    const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
    if ((bits & kInfinity) == kInfinity) {
      return significand != 0 ? std::copysign(NAN, sign) : std::copysign(INFINITY, sign);
    }
    const int whole = exponent == 0 ? significand : significand | 1 << kSignificandBits;
    return sign *
           std::ldexp(static_cast<float>(whole), (exponent == 0 ? 1 : exponent) - kBias - kSignificandBits);
  }

  static std::uint16_t encode(double x) {
    const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x)) return 0x7fff;
    const double size = std::fabs(x);
    if (std::isinf(x)) return sign | kInfinity;
    int exponent = size == 0 ? 1 - kBias : std::ilogb(size);
    exponent = exponent < 1 - kBias ? 1 - kBias : exponent;
    // In units of the last place; ties to even is the mode in which everything runs.
    const double rounded = std::nearbyint(std::ldexp(size, kSignificandBits - exponent));
    const auto whole = static_cast<std::int64_t>(rounded) +
                       (static_cast<std::int64_t>(exponent + kBias - 1) << kSignificandBits);
    return sign | static_cast<std::uint16_t>(whole < kInfinity ? whole : kInfinity);
  }
};

/// The sum in double, its last bit set where it is not exact (rounding to odd): rounding that once more gives
/// the sum rounded once.
inline double sum_to_odd(double x, double y) {
  const double sum = x + y;
  const double y_part = sum - x;
  const double error = (x - (sum - y_part)) + (y - y_part);
  if (error == 0 || !std::isfinite(sum) || (std::bit_cast<std::uint64_t>(sum) & 1) != 0) return sum;
  return std::nextafter(sum, error > 0 ? INFINITY : -INFINITY);
}

template <int kExponentBits>
struct SixteenBits {
  using Format = SixteenBitFormat<kExponentBits>;
  std::uint16_t bits;

  SixteenBits() = default;
  template <typename T>
  requires std::is_arithmetic_v<T> SixteenBits(T x) : bits(Format::encode(static_cast<double>(x))) {}
  operator float() const { return Format::decode(bits); }

  // In double the four operations are so exact that rounding once more is rounding once.
  double wide() const { return Format::decode(bits); }
  friend SixteenBits operator+(SixteenBits a, SixteenBits b) { return a.wide() + b.wide(); }
  friend SixteenBits operator-(SixteenBits a, SixteenBits b) { return a.wide() - b.wide(); }
  friend SixteenBits operator*(SixteenBits a, SixteenBits b) { return a.wide() * b.wide(); }
  friend SixteenBits operator/(SixteenBits a, SixteenBits b) { return a.wide() / b.wide(); }
  SixteenBits operator-() const { return with_bits(bits ^ 0x8000); }
  SixteenBits& operator+=(SixteenBits other) { return *this = *this + other; }
  SixteenBits& operator-=(SixteenBits other) { return *this = *this - other; }
  SixteenBits& operator*=(SixteenBits other) { return *this = *this * other; }
  SixteenBits& operator/=(SixteenBits other) { return *this = *this / other; }
  friend bool operator==(SixteenBits a, SixteenBits b) { return a.wide() == b.wide(); }
  friend bool operator!=(SixteenBits a, SixteenBits b) { return a.wide() != b.wide(); }
  friend bool operator<(SixteenBits a, SixteenBits b) { return a.wide() < b.wide(); }
  friend bool operator<=(SixteenBits a, SixteenBits b) { return a.wide() <= b.wide(); }
  friend bool operator>(SixteenBits a, SixteenBits b) { return a.wide() > b.wide(); }
  friend bool operator>=(SixteenBits a, SixteenBits b) { return a.wide() >= b.wide(); }

  static SixteenBits with_bits(unsigned bits) {
    SixteenBits x;
    x.bits = static_cast<std::uint16_t>(bits);
    return x;
  }
  friend SixteenBits multiply_add(SixteenBits a, SixteenBits b, SixteenBits c) {
    return sum_to_odd(a.wide() * b.wide(), c.wide());
  }
};

template <typename T>
struct alignas(4) Pair {
  T x, y;
  friend Pair operator+(Pair a, Pair b) { return {a.x + b.x, a.y + b.y}; }
  friend Pair operator-(Pair a, Pair b) { return {a.x - b.x, a.y - b.y}; }
  friend Pair operator*(Pair a, Pair b) { return {a.x * b.x, a.y * b.y}; }
  friend Pair operator/(Pair a, Pair b) { return {a.x / b.x, a.y / b.y}; }
};

}  // namespace deformdiff::emulation

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
using __half = deformdiff::emulation::SixteenBits<5>;
using __nv_bfloat16 = deformdiff::emulation::SixteenBits<8>;
using __half2 = deformdiff::emulation::Pair<__half>;
using __nv_bfloat162 = deformdiff::emulation::Pair<__nv_bfloat16>;
using half = __half;
using half2 = __half2;
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;

/// The functions of a type and of its pair; `name` is what CUDA calls the type within their names.
#define DEFORMDIFF_SIXTEEN_BITS(type, pair, name)                      \
  inline type __hadd(type a, type b) {                                 \
    return a + b;                                                      \
  }                                                                    \
  inline type __hsub(type a, type b) {                                 \
    return a - b;                                                      \
  }                                                                    \
  inline type __hmul(type a, type b) {                                 \
    return a * b;                                                      \
  }                                                                    \
  inline type __hdiv(type a, type b) {                                 \
    return a / b;                                                      \
  }                                                                    \
  inline type __hneg(type a) {                                         \
    return -a;                                                         \
  }                                                                    \
  inline type __habs(type a) {                                         \
    return type::with_bits(a.bits & 0x7fff);                           \
  }                                                                    \
  inline type __hfma(type a, type b, type c) {                         \
    return multiply_add(a, b, c);                                      \
  }                                                                    \
  inline bool __heq(type a, type b) {                                  \
    return a == b;                                                     \
  }                                                                    \
  inline bool __hne(type a, type b) {                                  \
    return a < b || a > b;                                             \
  }                                                                    \
  inline bool __hlt(type a, type b) {                                  \
    return a < b;                                                      \
  }                                                                    \
  inline bool __hle(type a, type b) {                                  \
    return a <= b;                                                     \
  }                                                                    \
  inline bool __hgt(type a, type b) {                                  \
    return a > b;                                                      \
  }                                                                    \
  inline bool __hge(type a, type b) {                                  \
    return a >= b;                                                     \
  }                                                                    \
  inline bool __hisnan(type a) {                                       \
    return a != a;                                                     \
  }                                                                    \
  inline pair __hadd2(pair a, pair b) {                                \
    return a + b;                                                      \
  }                                                                    \
  inline pair __hsub2(pair a, pair b) {                                \
    return a - b;                                                      \
  }                                                                    \
  inline pair __hmul2(pair a, pair b) {                                \
    return a * b;                                                      \
  }                                                                    \
  inline pair __hfma2(pair a, pair b, pair c) {                        \
    return {multiply_add(a.x, b.x, c.x), multiply_add(a.y, b.y, c.y)}; \
  }                                                                    \
  inline float __##name##2float(type a) {                              \
    return a;                                                          \
  }                                                                    \
  inline type __float2##name(float a) {                                \
    return a;                                                          \
  }                                                                    \
  inline type __float2##name##_rn(float a) {                           \
    return a;                                                          \
  }                                                                    \
  inline type __double2##name(double a) {                              \
    return a;                                                          \
  }                                                                    \
  inline type __ushort_as_##name(unsigned short bits) {                \
    return type::with_bits(bits);                                      \
  }                                                                    \
  inline unsigned short __##name##_as_ushort(type a) {                 \
    return a.bits;                                                     \
  }                                                                    \
  inline pair __halves2##name##2(type x, type y) {                     \
    return {x, y};                                                     \
  }                                                                    \
  inline pair __##name##2##name##2(type a) {                           \
    return {a, a};                                                     \
  }                                                                    \
  inline pair __float2##name##2_rn(float a) {                          \
    return {type(a), type(a)};                                         \
  }                                                                    \
  inline pair __floats2##name##2_rn(float x, float y) {                \
    return {type(x), type(y)};                                         \
  }                                                                    \
  inline pair __float22##name##2_rn(float2 a) {                        \
    return {type(a.x), type(a.y)};                                     \
  }                                                                    \
  inline float2 __##name##22float2(pair a) {                           \
    return {a.x, a.y};                                                 \
  }                                                                    \
  inline type __low2##name(pair a) {                                   \
    return a.x;                                                        \
  }                                                                    \
  inline type __high2##name(pair a) {                                  \
    return a.y;                                                        \
  }                                                                    \
  inline float __low2float(pair a) {                                   \
    return a.x;                                                        \
  }                                                                    \
  inline float __high2float(pair a) {                                  \
    return a.y;                                                        \
  }
DEFORMDIFF_SIXTEEN_BITS(__half, __half2, half)
DEFORMDIFF_SIXTEEN_BITS(__nv_bfloat16, __nv_bfloat162, bfloat16)
#undef DEFORMDIFF_SIXTEEN_BITS
// NOLINTEND(readability-identifier-naming)
