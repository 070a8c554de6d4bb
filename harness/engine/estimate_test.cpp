#include "engine/estimate.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

OutputReference output_of(DType dtype, const std::vector<double>& values, const std::vector<double>& bounds,
                          const std::vector<std::uint8_t>& admits = {}) {
  return {"output", dtype, {static_cast<std::int64_t>(values.size())}, values, {}, bounds, admits};
}

std::string vacuous(OutputReference output) {
  Reference reference;
  reference.outputs.push_back(std::move(output));
  count_telling(reference);
  return reference.vacuous;
}

TEST(Estimate, ANanStandsForASetOnlyWhereThereIsNoChoice) {
  const OutputReference output =
      output_of(DType::kFloat32, {0, 0, 0}, {0, 0, 0},
                {kAdmitsMinusInf | kAdmitsNan, kAdmitsPlusInf | kAdmitsNan, kAdmitsNan});
  const Tensor middle = middle_of(output);
  EXPECT_EQ(middle.element(0), -HUGE_VAL);
  EXPECT_EQ(middle.element(1), HUGE_VAL);
  EXPECT_TRUE(std::isnan(middle.element(2)));
}

TEST(Estimate, EachKindOfNumberIsDrawnOfEachElement) {
  const std::vector<double> zeros(50, 0);
  const OutputReference output =
      output_of(DType::kFloat32, zeros, zeros, std::vector<std::uint8_t>(50, kAdmitsMinusInf | kAdmitsNan));
  std::vector<int> infinite(50, 0), first(2, 0);
  for (std::size_t draw = 0; draw < kDraws; ++draw) {
    const Tensor drawn = draw_from(output, CounterRandom(3), draw);
    for (std::int64_t i = 0; i < 50; ++i)
      infinite[static_cast<std::size_t>(i)] += std::isinf(drawn.element(i));
    if (draw != 0) continue;
    for (std::int64_t i = 0; i < 50; ++i) ++first[std::isinf(drawn.element(i)) ? 1 : 0];
  }
  EXPECT_EQ(infinite, std::vector<int>(50, kDraws / 2));
  EXPECT_GT(first[0], 10);
  EXPECT_GT(first[1], 10);
}

/// Of float64 numbers near each other the doubles are the same, and the difference is in the low parts.
TEST(Estimate, LowPartsOfTheDrawsWidenASet) {
  OutputReference middle = output_of(DType::kFloat64, {1}, {0}), draw = middle;
  middle.value_low = {0};
  draw.value_low = {1e-18};
  Widening widening(middle);
  for (std::size_t i = 0; i < kDraws; ++i) widening.add(draw, true);
  widening.apply();
  EXPECT_NEAR(middle.bound[0], 1e-18 * estimate_factor(1), 1e-18);
}

/// Sixteen draws that round to one number do not show that none rounds to the next.
TEST(Estimate, RoundingOfDrawsHidesTwoSteps) {
  const auto bound_of = [](DType dtype, bool varied) {
    OutputReference middle = output_of(dtype, {1.5}, {0});
    const OutputReference draw = middle;
    Widening widening(middle);
    for (std::size_t i = 0; i < kDraws; ++i) widening.add(draw, varied);
    widening.apply();
    return middle.bound[0];
  };
  EXPECT_GE(bound_of(DType::kBFloat16, true), 0x1p-6);
  EXPECT_LT(bound_of(DType::kBFloat16, true), 0x1p-5);
  EXPECT_EQ(bound_of(DType::kBFloat16, false), 0) << "nothing was rounded";
  EXPECT_EQ(bound_of(DType::kFloat32, true), 0);
}

TEST(Estimate, WhichNumberThatIsNotFiniteIsNotEstimated) {
  OutputReference middle =
      output_of(DType::kFloat32, {0, 0, 0}, {0, 0, 0}, {kAdmitsMinusInf, kAdmitsNan, kAdmitsFinite});
  const OutputReference draw =
      output_of(DType::kFloat32, {0, 0, 0}, {0, 0, 0}, {kAdmitsNan, kAdmitsNan, kAdmitsNan});
  Widening widening(middle);
  for (std::size_t i = 0; i < kDraws; ++i) widening.add(draw, true);
  widening.apply();
  EXPECT_NE(middle.admits[0] & kAdmitsAnything, 0);
  EXPECT_EQ(middle.admits[1], kAdmitsNan);
  EXPECT_NE(middle.admits[2] & kAdmitsAnything, 0);
}

TEST(Estimate, ElementsThatMayBeAnythingDoNotTell) {
  const std::vector<std::uint8_t> most{kAdmitsAnything, kAdmitsFinite | kAdmitsAnything, kAdmitsFinite};
  EXPECT_NE(vacuous(output_of(DType::kFloat32, {1, 1, 1}, {0, 0, 0}, most)), "");
  EXPECT_EQ(vacuous(output_of(DType::kFloat32, {1, 1, 1}, {0, 0, 0})), "");
}

TEST(Estimate, SizesBeyondTheRootOfTheLargestNumberAreNotInfinite) {
  EXPECT_EQ(vacuous(output_of(DType::kFloat64, {1e200, 1e200}, {1e190, 1e190})), "");
  EXPECT_NE(vacuous(output_of(DType::kFloat64, {1e200, 1e200}, {1e199, 1e199})), "");
}

}  // namespace
}  // namespace deformdiff
