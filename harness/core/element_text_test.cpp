#include "core/element_text.h"

#include "core/error.h"

#include <cstdint>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace deformdiff {
namespace {

std::string text_of(DType dtype, std::uint64_t bits) {
  return element_text(dtype, reinterpret_cast<const std::byte*>(&bits));
}

std::uint64_t bits_of(DType dtype, const std::string& text) {
  std::uint64_t bits = 0;
  read_element(parse_strict_json(text, "text"), dtype, reinterpret_cast<std::byte*>(&bits));
  return bits;
}

TEST(ElementText, ReadsWellAndKeepsSpecialValues) {
  EXPECT_EQ(text_of(DType::kFloat32, 0x3f800000), "1");
  EXPECT_EQ(text_of(DType::kFloat32, 0x3dcccccd), "0.1");
  EXPECT_EQ(text_of(DType::kFloat32, 0x80000000), "-0.0");
  EXPECT_EQ(text_of(DType::kFloat32, 0x00000001), "1e-45");
  EXPECT_EQ(text_of(DType::kFloat32, 0x7f800000), "\"inf\"");
  EXPECT_EQ(text_of(DType::kFloat32, 0xff800000), "\"-inf\"");
  EXPECT_EQ(text_of(DType::kFloat32, 0x7fc00000), "\"nan\"");
  EXPECT_EQ(text_of(DType::kFloat32, 0x7fc00001), "\"0x7fc00001\"");
  EXPECT_EQ(text_of(DType::kFloat32, 0xffc00000), "\"0xffc00000\"");
  EXPECT_EQ(text_of(DType::kFloat64, 0x3fb999999999999a), "0.1");
  EXPECT_EQ(text_of(DType::kFloat16, 0x3c00), "1");
  EXPECT_EQ(text_of(DType::kBFloat16, 0x4049), "3.140625");
  EXPECT_EQ(text_of(DType::kInt64, static_cast<std::uint64_t>(-5)), "-5");
  EXPECT_EQ(text_of(DType::kBool, 1), "1");
}

TEST(ElementText, TakesOtherDecimalsRoundedToNearest) {
  EXPECT_EQ(bits_of(DType::kFloat32, "0.10000000000000000001"), 0x3dcccccdU);
  EXPECT_EQ(bits_of(DType::kFloat32, "-0"), 0x80000000U);
  EXPECT_EQ(bits_of(DType::kFloat16, "65519"), 0x7bffU);
  EXPECT_EQ(bits_of(DType::kBFloat16, "1e-50"), 0U);
}

TEST(ElementText, RefusesWhatDoesNotFit) {
  for (const char* bad :
       {"1e39", "\"NaN\"", "\"0x7f800000\"", "\"0x7fc0000\"", "\"0x7fc00001x\"", "null", "[1]", "true"}) {
    EXPECT_THROW(bits_of(DType::kFloat32, bad), InputError) << bad;
  }
  EXPECT_THROW(bits_of(DType::kFloat16, "65520"), InputError);
  for (const char* bad : {"1.5", "9223372036854775808", "\"1\"", "true"}) {
    EXPECT_THROW(bits_of(DType::kInt64, bad), InputError) << bad;
  }
  EXPECT_THROW(bits_of(DType::kBool, "256"), InputError);
  EXPECT_THROW(bits_of(DType::kUInt8, "-1"), InputError);
}

// Every pattern of the 16-bit formats; random ones of the others.
TEST(ElementText, RoundTripOfEvery16BitPattern) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    for (std::uint64_t bits = 0; bits < 0x10000; ++bits) {
      ASSERT_EQ(bits_of(dtype, text_of(dtype, bits)), bits) << name_of(dtype);
    }
  }
}

RC_GTEST_PROP(ElementText, RoundTripOfWidePatterns, (std::uint64_t bits)) {
  RC_ASSERT(bits_of(DType::kFloat64, text_of(DType::kFloat64, bits)) == bits);
  RC_ASSERT(bits_of(DType::kInt64, text_of(DType::kInt64, bits)) == bits);
  RC_ASSERT(bits_of(DType::kFloat32, text_of(DType::kFloat32, bits & 0xffffffff)) == (bits & 0xffffffff));
}

}  // namespace
}  // namespace deformdiff
