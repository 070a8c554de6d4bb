#include "oracles/ms_deform_attn/nonfinite.h"

#include "oracles/ms_deform_attn/contracts_test.h"
#include "oracles/ms_deform_attn/oracle.h"
#include "oracles/ms_deform_attn/test_cases.h"

#include <limits>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr std::uint8_t kFinite = kAdmitsFinite, kNanSet = kAdmitsNan, kPlus = kAdmitsPlusInf,
                       kMinus = kAdmitsMinusInf;

/// A 4x4 map of ones, one point at (x, y) pixels with weight `a`.
PlainCase<float> one_point(float x, float y, float a) {
  PlainCase<float> c;
  c.set_levels({{4, 4}});
  c.resize();
  for (float& v : c.value) v = 1;
  c.locations = {(x + 0.5F) / 4, (y + 0.5F) / 4};
  c.weights = {a};
  return c;
}

int admits(const PlainCase<float>& c, const Contract& contract) {
  const OutputReference output = oracle(DType::kFloat32).evaluate(c.build(), {}, contract, 1).outputs[0];
  return output.admits.empty() ? kFinite : output.admits[0];
}

TEST(MsDeformAttnNonfinite, SumsOfSets) {
  EXPECT_EQ(sum_of(kFinite, kFinite), kFinite);
  EXPECT_EQ(sum_of(kFinite, kNanSet), kNanSet);
  EXPECT_EQ(sum_of(kFinite, kPlus), kPlus);
  EXPECT_EQ(sum_of(kPlus, kPlus), kPlus);
  EXPECT_EQ(sum_of(kPlus, kMinus), kNanSet);
  EXPECT_EQ(sum_of(kFinite | kNanSet, kFinite | kMinus), kFinite | kNanSet | kMinus);
  EXPECT_EQ(sum_of(kPlus | kFinite, kMinus), kNanSet | kMinus);
}

TEST(MsDeformAttnNonfinite, LocationsFollowTheContract) {
  for (const float bad : {kNan, kInf, -kInf}) {
    for (const float a : {1.0F, kNan}) {
      PlainCase<float> c = one_point(1, 1, a);
      c.locations[0] = bad;
      EXPECT_EQ(admits(c, kContracts.zero), kFinite);
      EXPECT_EQ(admits(c, kContracts.nan), kNanSet);
      EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
    }
  }
}

TEST(MsDeformAttnNonfinite, HugeLocationsMayOverflow) {
  PlainCase<float> c = one_point(1, 1, 1);
  c.locations[0] = 3e38F;
  EXPECT_EQ(admits(c, kContracts.zero), kFinite);
  EXPECT_EQ(admits(c, kContracts.nan), kFinite | kNanSet);
  EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
  c.locations[0] = 1e30F;
  EXPECT_EQ(admits(c, kContracts.any), kFinite);
}

TEST(MsDeformAttnNonfinite, WeightsOutsideFollowTheContract) {
  for (const float a : {kNan, kInf, -kInf}) {
    const PlainCase<float> c = one_point(-3, 1, a);
    EXPECT_EQ(admits(c, kContracts.ignored), kFinite);
    EXPECT_EQ(admits(c, kContracts.propagates), kNanSet);
    EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
  }
}

TEST(MsDeformAttnNonfinite, WeightsInRangeSpread) {
  EXPECT_EQ(admits(one_point(1.5F, 1.5F, kNan), kContracts.ignored), kNanSet);
  EXPECT_EQ(admits(one_point(1.5F, 1.5F, kInf), kContracts.ignored), kNanSet | kPlus);
  EXPECT_EQ(admits(one_point(1.5F, 1.5F, -kInf), kContracts.any), kNanSet | kMinus);
  PlainCase<float> mixed = one_point(1.5F, 1.5F, kInf);
  mixed.value[5] = -1;
  EXPECT_EQ(admits(mixed, kContracts.any), kNanSet | kPlus | kMinus);
  PlainCase<float> zeros = one_point(1.5F, 1.5F, kInf);
  for (float& v : zeros.value) v = 0;
  EXPECT_EQ(admits(zeros, kContracts.any), kNanSet);
}

TEST(MsDeformAttnNonfinite, WeightsAtTheBorderMayBeOnEitherSide) {
  PlainCase<float> c = one_point(1, 1, kNan);
  c.set_levels({{4, 7}});
  c.value.assign(28, 1);
  c.locations[0] = -0.5F / 7;
  EXPECT_EQ(admits(c, kContracts.ignored), kFinite | kNanSet);
  EXPECT_EQ(admits(c, kContracts.propagates), kNanSet);
}

TEST(MsDeformAttnNonfinite, ValuesAtNonzeroWeightSpread) {
  PlainCase<float> c = one_point(1.5F, 1.5F, 1);
  c.value[5] = kNan;  // pixel (1, 1)
  EXPECT_EQ(admits(c, kContracts.ignored), kNanSet);
  c.value[5] = kInf;
  EXPECT_EQ(admits(c, kContracts.ignored), kNanSet | kPlus);
  c.weights = {-1};
  EXPECT_EQ(admits(c, kContracts.ignored), kNanSet | kMinus);
  c.value[6] = -kInf;
  EXPECT_EQ(admits(c, kContracts.ignored), kNanSet);
  c.value[5] = c.value[6] = 1;
  c.value[15] = kNan;  // pixel (3, 3): not touched
  EXPECT_EQ(admits(c, kContracts.any), kFinite);
}

TEST(MsDeformAttnNonfinite, ValuesAtZeroCornerWeightFollowTheContract) {
  PlainCase<float> c = one_point(1, 1.5F, 1);  // x exactly on pixel 1: pixel 2 has weight 0
  c.value[6] = kInf;
  EXPECT_EQ(admits(c, kContracts.propagates), kNanSet);
  EXPECT_EQ(admits(c, kContracts.ignored), kFinite);
  EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
}

TEST(MsDeformAttnNonfinite, CellsOpenAtTheLeftMeetTheOtherNeighbour) {
  for (const bool along_y : {false, true}) {
    const auto at = [&](float pixel) {
      return along_y ? one_point(1.5F, pixel, 1) : one_point(pixel, 1.5F, 1);
    };
    const auto index = [&](std::size_t pixel) { return along_y ? 4 * pixel + 1 : 4 + pixel; };
    PlainCase<float> c = at(2);  // exactly on pixel 2: pixel 1 has weight 0
    for (const float bad : {kNan, kInf}) {
      c.value[index(1)] = bad;
      EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
      EXPECT_EQ(admits(c, kContracts.propagates), kFinite);
      EXPECT_EQ(admits(c, kContracts.ignored), kFinite);
    }
    c.value[index(1)] = 1;
    c.value[index(0)] = kNan;  // two pixels away: in no cell
    EXPECT_EQ(admits(c, kContracts.any), kFinite);
    c.value[index(2)] = kNan;  // its own pixel
    EXPECT_EQ(admits(c, kContracts.any), kNanSet);
    PlainCase<float> between = at(2.25F);
    between.value[index(1)] = kNan;
    EXPECT_EQ(admits(between, kContracts.any), kFinite);
  }
}

TEST(MsDeformAttnNonfinite, CellsOpenAtTheLeftMeetADiagonalNeighbour) {
  PlainCase<float> c = one_point(2, 2, 1);
  c.value[5] = kNan;  // pixel (1, 1)
  EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
  EXPECT_EQ(admits(c, kContracts.propagates), kFinite);
  c.value[5] = 1;
  c.value[7] = kNan;  // pixel (3, 1): after it along x, before it along y
  EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
}

TEST(MsDeformAttnNonfinite, OnTheFarEdgeCellsOpenAtTheLeftMeetTheLastPixels) {
  PlainCase<float> c = one_point(1, 4, 1);
  c.value[12] = kInf;  // pixel (0, 3): before pixel (1, 3)
  EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
  EXPECT_EQ(admits(c, kContracts.propagates), kFinite);
  EXPECT_EQ(admits(c, kContracts.ignored), kFinite);
  c.value[12] = 1;
  c.value[9] = kInf;  // not in the last row
  EXPECT_EQ(admits(c, kContracts.any), kFinite);
}

TEST(MsDeformAttnNonfinite, ValuesAtZeroAttentionWeightFollowTheContract) {
  PlainCase<float> c = one_point(1.5F, 1.5F, 0);
  c.value[5] = kInf;
  EXPECT_EQ(admits(c, kContracts.propagates), kNanSet);
  EXPECT_EQ(admits(c, kContracts.ignored), kFinite);
  EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
}

TEST(MsDeformAttnNonfinite, ValuesWhereTheCellIsInDoubtAdmitBoth) {
  PlainCase<float> c;
  c.set_levels({{1, 7}});
  c.resize();
  c.value.assign(7, 1);
  c.locations = {3.5F / 7, 0.5F};  // x is 3 but for rounding: pixel 2 or 4 may have a tiny weight
  c.value[4] = kInf;
  EXPECT_EQ(admits(c, kContracts.ignored), kFinite | kNanSet | kPlus | kMinus);
}

TEST(MsDeformAttnNonfinite, OnTheEdgeCodeWithoutARangeTestMeetsTheFirstPixels) {
  PlainCase<float> c = one_point(1, -1, 1);
  c.value[1] = kInf;
  EXPECT_EQ(admits(c, kContracts.any), kFinite | kNanSet);
  EXPECT_EQ(admits(c, kContracts.propagates), kFinite | kNanSet);
  EXPECT_EQ(admits(c, kContracts.ignored), kFinite);
  c.weights = {0};
  EXPECT_EQ(admits(c, kContracts.propagates), kFinite | kNanSet);
  c.value[1] = 1;
  c.value[9] = kInf;  // not in the first row
  EXPECT_EQ(admits(c, kContracts.any), kFinite);
}

TEST(MsDeformAttnNonfinite, PointsOutsideNeverTouchValues) {
  PlainCase<float> c = one_point(-2, 1, 1);
  for (float& v : c.value) v = kNan;
  EXPECT_EQ(admits(c, kContracts.propagates), kFinite);
}

TEST(MsDeformAttnNonfinite, FinitePartKeepsItsValue) {
  PlainCase<float> c = one_point(1, 1, 1);
  c.dims.P = 2;
  c.weights = {1, 2};
  c.locations = {0.375F, 0.375F, kNan, 0.5F};
  const OutputReference output =
      oracle(DType::kFloat32).evaluate(c.build(), {}, kContracts.zero, 1).outputs[0];
  EXPECT_EQ(output.value[0], 1);
  EXPECT_EQ(output.admits[0], kFinite);
  EXPECT_LT(output.bound[0], 1e-6);
}

TEST(MsDeformAttnNonfinite, DemandedNonfiniteElementsAreTelling) {
  const PlainCase<float> c = one_point(1.5F, 1.5F, kNan);
  const Reference reference = oracle(DType::kFloat32).evaluate(c.build(), {}, {}, 1);
  EXPECT_EQ(reference.telling_elements, 1);
  EXPECT_EQ(reference.vacuous, "");
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
