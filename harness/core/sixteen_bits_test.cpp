#include "core/sixteen_bits.h"

#include "core/number.h"
#include "core/random.h"
#include "core/tensor.h"

#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr std::array kBoth{DType::kFloat16, DType::kBFloat16};

/// By the definition of the format.
double widened(DType dtype, unsigned bits) {
  const int mantissa_bits = dtype == DType::kFloat16 ? 10 : 7;
  const int exponents = 1 << (15 - mantissa_bits);
  const int exponent = static_cast<int>(bits >> mantissa_bits) % exponents;
  const int mantissa = static_cast<int>(bits) % (1 << mantissa_bits);
  const double sign = bits >= 0x8000 ? -1 : 1;
  if (exponent == exponents - 1) return mantissa == 0 ? sign * HUGE_VAL : std::nan("");
  const int bias = exponents / 2 - 1 + mantissa_bits;
  return exponent == 0 ? sign * std::ldexp(mantissa, 1 - bias)
                       : sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias);
}

TEST(SixteenBits, EveryNumberIsWidenedAndComesBack) {
  for (const DType dtype : kBoth) {
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
      const float number = sixteen_bits_to_float(dtype, static_cast<std::uint16_t>(bits));
      const double wanted = widened(dtype, bits);
      const std::uint16_t back = sixteen_bits_of(dtype, number);
      if (std::isnan(wanted)) {
        ASSERT_TRUE(std::isnan(number)) << bits;
        ASSERT_TRUE(std::isnan(sixteen_bits_to_float(dtype, back))) << bits;
        continue;
      }
      ASSERT_EQ(number, wanted) << bits;
      ASSERT_EQ(back, bits);
    }
  }
}

/// The two ways there are: one without branches, and one for any type of number.
void expect_same(DType dtype, double t) {
  std::array<std::byte, 2> memory{};
  store_number(t, dtype, memory.data());
  EXPECT_EQ(round_to(sixteen_bit_format(dtype), t), load_number(dtype, memory.data())) << t;
}

TEST(SixteenBits, RoundsToNearestTiesToEven) {
  const CounterRandom random(3);
  for (const DType dtype : kBoth) {
    for (std::uint64_t i = 0; i < 20000; ++i) {
      const int exponent = static_cast<int>(random.below(2 * i, 300)) - 150;
      expect_same(dtype, std::ldexp(random.uniform(2 * i + 1) - 0.5, exponent));
    }
    for (unsigned bits = 0; bits < 0x7fff; ++bits) {
      const double low = widened(dtype, bits), high = widened(dtype, bits + 1);
      if (!std::isfinite(high)) continue;
      const double middle = (low + high) / 2;
      const SixteenBitFormat& format = sixteen_bit_format(dtype);
      ASSERT_EQ(round_to(format, middle), bits % 2 == 0 ? low : high);
      ASSERT_EQ(round_to(format, std::nextafter(middle, 0)), low);
      ASSERT_EQ(round_to(format, -std::nextafter(middle, HUGE_VAL)), -high);
    }
  }
}

TEST(SixteenBits, WhatIsBeyondTheLargestIsInfinite) {
  EXPECT_EQ(round_to(kFloat16Format, 65519.999), 65504);
  EXPECT_EQ(round_to(kFloat16Format, 65520), HUGE_VAL);
  EXPECT_EQ(round_to(kFloat16Format, -1e300), -HUGE_VAL);
  EXPECT_EQ(round_to(kBFloat16Format, 0x1.fefp127), 0x1.fep127);
  EXPECT_EQ(round_to(kBFloat16Format, 0x1.ffp127), HUGE_VAL);
  EXPECT_EQ(round_to(kBFloat16Format, -HUGE_VAL), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(round_to(kBFloat16Format, std::nan(""))));
}

TEST(SixteenBits, TensorsAreConverted) {
  const std::vector<float> numbers{1 + 0x1p-12F, -3, 1e-3F, 1e9F};
  const Tensor tensor = Tensor::of<float>(DType::kFloat32, {4}, numbers);
  for (const DType dtype : kBoth) {
    const Tensor narrow = convert(tensor, dtype), wide = convert(narrow, DType::kFloat32);
    for (std::int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(narrow.element(i), round_to(sixteen_bit_format(dtype), numbers[static_cast<std::size_t>(i)]));
      EXPECT_EQ(wide.element(i), narrow.element(i));
    }
  }
}

}  // namespace
}  // namespace deformdiff
