#include "oracles/arithmetic/rounding.h"

#include "core/random.h"

#include <cmath>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(Rounding, FirstPlaceIsTheLeadingPowerOfTwo) {
  EXPECT_EQ(first_place(0), 0);
  EXPECT_EQ(first_place(1), 1);
  EXPECT_EQ(first_place(-1.999), 1);
  EXPECT_EQ(first_place(0.75), 0.5);
  EXPECT_EQ(first_place(-1024.5), 1024);
}

TEST(Rounding, FirstPlaceBoundsTheErrorOfRounding) {
  const Rounding rounding = rounding_of(DType::kFloat32, {});
  const CounterRandom random(1);
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const double t =
        std::ldexp(random.uniform(2 * i) - 0.5, static_cast<int>(random.below(2 * i + 1, 60)) - 30);
    EXPECT_LE(std::fabs(t - static_cast<double>(static_cast<float>(t))), rounding.unit * first_place(t));
  }
}

TEST(Rounding, UnderflowUnits) {
  EXPECT_EQ(rounding_of(DType::kFloat32, {}).underflow, 0x1p-150);
  EXPECT_EQ(rounding_of(DType::kFloat64, {}).underflow, 0x1p-1074);
  Precision flushing;
  flushing.flush_to_zero = true;
  EXPECT_EQ(rounding_of(DType::kFloat32, flushing).underflow, 0x1p-126);
}

TEST(Rounding, SecondOrderFactorCoversCompoundedRoundings) {
  const double unit = 0x1p-24;
  for (const double n : {1.0, 10.0, 1000.0}) {
    EXPECT_GE(n * unit * second_order_factor(n, unit), std::pow(1 + unit, n) - 1);
  }
  EXPECT_TRUE(std::isinf(second_order_factor(0x1p24, unit)));
}

}  // namespace
}  // namespace deformdiff
