#include "core/number.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(Number, ComesBackAsItsDtypeRoundsIt) {
  const auto stored = [](long double value, DType dtype) {
    std::array<std::byte, 8> memory{};
    store_number(value, dtype, memory.data());
    return load_number(dtype, memory.data());
  };
  EXPECT_EQ(stored(1 + 0x1p-24L, DType::kFloat32), 1);
  EXPECT_EQ(stored(1 + 0x1p-23L, DType::kFloat32), 1 + 0x1p-23);
  // Rounded to double first, it would be halfway and go to 1.
  EXPECT_EQ(stored(1 + 0x1p-24L + 0x1p-60L, DType::kFloat32), 1 + 0x1p-23);
  EXPECT_EQ(stored(1 + 0x1p-52L, DType::kFloat64), 1 + 0x1p-52);
  EXPECT_TRUE(std::isnan(stored(std::nan(""), DType::kFloat32)));
  EXPECT_EQ(stored(-7, DType::kInt64), -7);
  EXPECT_EQ(stored(0.5, DType::kBool), 1);
  EXPECT_EQ(stored(0, DType::kBool), 0);
  EXPECT_EQ(stored(200, DType::kUInt8), 200);
  EXPECT_EQ(stored(1 + 0x1p-11L, DType::kFloat16), 1);
  EXPECT_EQ(stored(1 + 0x1p-11L + 0x1p-60L, DType::kFloat16), 1 + 0x1p-10);
  EXPECT_EQ(stored(-1 - 0x1p-8L - 0x1p-60L, DType::kBFloat16), -1 - 0x1p-7);
  EXPECT_EQ(stored(65519, DType::kFloat16), 65504);
  EXPECT_TRUE(std::isinf(stored(65520, DType::kFloat16)));
  EXPECT_EQ(stored(0x1p-25L + 0x1p-60L, DType::kFloat16), 0x1p-24);
}

TEST(Number, HalfTypesAreWidened) {
  const auto loaded = [](DType dtype, unsigned low, unsigned high) {
    const std::array<std::byte, 2> memory{static_cast<std::byte>(low), static_cast<std::byte>(high)};
    return load_number(dtype, memory.data());
  };
  EXPECT_EQ(loaded(DType::kFloat16, 0x01, 0x3c), 1 + 0x1p-10);
  EXPECT_EQ(loaded(DType::kFloat16, 0x01, 0x80), -0x1p-24);
  EXPECT_EQ(loaded(DType::kBFloat16, 0x81, 0x3f), 1 + 0x1p-7);
}

TEST(Number, FormatsAreThoseOfIeee754) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16}) {
    const FloatFormat format = float_format(dtype);
    EXPECT_EQ(format.unit_roundoff, std::ldexp(1.0, -format.precision));
    EXPECT_EQ(format.smallest_subnormal, std::ldexp(format.smallest_normal, 1 - format.precision));
    // The largest exponent mirrors the smallest.
    EXPECT_EQ(format.largest, (2 - 2 * format.unit_roundoff) * (2 / format.smallest_normal));
  }
}

}  // namespace
}  // namespace deformdiff
