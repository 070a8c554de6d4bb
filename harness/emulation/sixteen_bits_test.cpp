// The arithmetic of __half against the compiler's own _Float16; that of both formats against the definition.
#include "emulation/sixteen_bits.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include <gtest/gtest.h>

namespace deformdiff::emulation {
namespace {

template <typename T>
T number(unsigned bits) {
  return T::with_bits(bits);
}

template <typename T>
void expect_round_trips() {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float wide = number<T>(bits);
    if (std::isnan(wide)) continue;
    EXPECT_EQ(T(wide).bits, bits);
  }
}

TEST(SixteenBits, EveryNumberComesBack) {
  expect_round_trips<__half>();
  expect_round_trips<__nv_bfloat16>();
}

TEST(SixteenBits, RoundsToNearestEvenAndOverflows) {
  EXPECT_EQ(__half(2049.0F).bits, __half(2048.0F).bits);
  EXPECT_EQ(__half(2051.0F).bits, __half(2052.0F).bits);
  EXPECT_EQ(__half(65519.0F).bits, 0x7bff);
  EXPECT_EQ(__half(65520.0F).bits, 0x7c00);
  EXPECT_EQ(__half(-std::ldexp(1.0F, -25)).bits, 0x8000);
  EXPECT_EQ(__half(std::ldexp(3.0F, -26)).bits, 1);
  EXPECT_EQ(__nv_bfloat16(257.0F).bits, __nv_bfloat16(256.0F).bits);
  EXPECT_EQ(__nv_bfloat16(3.4e38F).bits, 0x7f80);
  EXPECT_TRUE(__hisnan(__half(NAN)));
}

/// A product that is a tie by itself, and a last term too small for double that breaks it.
TEST(SixteenBits, MultiplyAddRoundsOnce) {
  const __nv_bfloat16 tiny = std::ldexp(1.0F, -100);
  // 1.25 * 1.203125 = 1.50390625 is a tie between 1.5 and 1.5078125; even is 1.5.
  const __nv_bfloat16 a = 1.25F, b = 1.203125F;
  EXPECT_EQ(__hmul(a, b).bits, __nv_bfloat16(1.5F).bits);
  EXPECT_EQ(__hfma(a, b, tiny).bits, __nv_bfloat16(1.5078125F).bits);
  EXPECT_EQ(__hfma(a, b, -tiny).bits, __nv_bfloat16(1.5F).bits);
}

#if defined(__FLT16_MANT_DIG__) && !defined(__clang__)
_Float16 native(unsigned bits) {
  const auto pattern = static_cast<std::uint16_t>(bits);
  _Float16 x;
  std::memcpy(&x, &pattern, sizeof x);
  return x;
}

std::uint16_t bits_of(_Float16 x) {
  std::uint16_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

TEST(SixteenBits, AgreesWithTheCompilersHalf) {
  std::uint32_t random = 1;
  const auto next = [&] { return (random = random * 1664525 + 1013904223) >> 16; };
  for (int i = 0; i < 100000; ++i) {
    const unsigned a = next(), b = next();
    const auto x = native(a), y = native(b);
    const auto check = [&](__half found, _Float16 wanted) {
      if (std::isnan(static_cast<float>(wanted))) {
        EXPECT_TRUE(__hisnan(found)) << a << ", " << b;
      } else {
        EXPECT_EQ(found.bits, bits_of(wanted)) << a << ", " << b;
      }
    };
    check(number<__half>(a) + number<__half>(b), x + y);
    check(number<__half>(a) - number<__half>(b), x - y);
    check(number<__half>(a) * number<__half>(b), x * y);
    check(number<__half>(a) / number<__half>(b), x / y);
  }
}
#endif

}  // namespace
}  // namespace deformdiff::emulation
