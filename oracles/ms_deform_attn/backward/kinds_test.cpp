// Which kinds of number the gradients may be where inputs are not finite.
#include "oracles/ms_deform_attn/backward/test_cases.h"
#include "oracles/ms_deform_attn/contracts_test.h"

#include <limits>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int kFinite = kAdmitsFinite, kNanSet = kAdmitsNan, kPlus = kAdmitsPlusInf, kMinus = kAdmitsMinusInf;

/// A 4x4 map of ones, one point at (x, y) pixels, all factors 1.
BackwardCase<float> one_point(float x, float y) {
  PlainCase<float> plain;
  plain.set_levels({{4, 4}});
  plain.resize();
  plain.value.assign(16, 1);
  plain.locations = {(x + 0.5F) / 4, (y + 0.5F) / 4};
  return BackwardCase<float>(std::move(plain));
}

int set_of(const Reference& reference, std::size_t element) {
  const OutputReference& output = reference.outputs[0];
  return output.admits.empty() ? kFinite : int{output.admits[element]};
}
int value_set(const BackwardCase<float>& c, const Contract& contract, std::size_t pixel) {
  return set_of(refer(c.build(), {}, contract).value, pixel);
}
int weight_set(const BackwardCase<float>& c, const Contract& contract) {
  return set_of(refer(c.build(), {}, contract).weight, 0);
}
int location_set(const BackwardCase<float>& c, const Contract& contract, std::size_t axis = 0) {
  return set_of(refer(c.build(), {}, contract).location, axis);
}

TEST(MsDeformAttnBackwardKinds, LocationsFollowTheContract) {
  for (const float bad : {kNan, kInf, 3e38F}) {
    BackwardCase<float> c = one_point(1, 1);
    c.locations[0] = bad;
    for (const std::size_t axis : {0U, 1U}) {
      EXPECT_EQ(location_set(c, kContracts.zero, axis), kFinite);
      EXPECT_EQ(location_set(c, kContracts.nan, axis), kFinite | kNanSet);
      EXPECT_EQ(location_set(c, kContracts.any, axis), kFinite | kNanSet);
    }
    EXPECT_EQ(weight_set(c, kContracts.zero), kFinite);
    EXPECT_EQ(weight_set(c, kContracts.nan), bad == 3e38F ? kFinite | kNanSet : kNanSet);
    EXPECT_EQ(value_set(c, kContracts.zero, 5), kFinite);
    EXPECT_EQ(value_set(c, kContracts.any, 5), kFinite | kNanSet);
    EXPECT_EQ(refer(c.build(), {}, kContracts.zero).location.outputs[0].bound[0], 0);
  }
}

/// No gradient depends on its own input, but for the location's cell.
TEST(MsDeformAttnBackwardKinds, WhatAGradientDoesNotDependOn) {
  BackwardCase<float> c = one_point(1.5F, 1.5F);
  c.value.assign(16, kNan);
  EXPECT_EQ(value_set(c, kContracts.any, 5), kFinite);
  c = one_point(1.5F, 1.5F);
  c.weights = {kNan};
  EXPECT_EQ(weight_set(c, kContracts.any), kFinite);
}

TEST(MsDeformAttnBackwardKinds, WeightsAndGradientsReachTheirPixels) {
  for (const bool of_weight : {false, true}) {
    BackwardCase<float> c = one_point(1.5F, 1.5F);
    float& factor = of_weight ? c.weights[0] : c.gradient[0];
    factor = kNan;
    EXPECT_EQ(value_set(c, kContracts.ignored, 5), kNanSet);
    EXPECT_EQ(value_set(c, kContracts.any, 4), kFinite);
    EXPECT_EQ(location_set(c, kContracts.ignored), kNanSet);
    factor = -kInf;
    EXPECT_EQ(value_set(c, kContracts.ignored, 5), kNanSet | kMinus);
    EXPECT_EQ(location_set(c, kContracts.ignored), kNanSet | kPlus | kMinus);
  }
  BackwardCase<float> c = one_point(1.5F, 1.5F);
  c.gradient = {kNan};
  EXPECT_EQ(weight_set(c, kContracts.ignored), kNanSet);
  c.gradient = {kInf};
  EXPECT_EQ(weight_set(c, kContracts.ignored), kNanSet | kPlus);
}

TEST(MsDeformAttnBackwardKinds, ZeroTimesInfinity) {
  BackwardCase<float> c = one_point(1.5F, 1.5F);
  c.weights = {0};
  c.gradient = {kInf};
  EXPECT_EQ(value_set(c, kContracts.propagates, 5), kNanSet);
  EXPECT_EQ(value_set(c, kContracts.ignored, 5), kFinite);
  EXPECT_EQ(value_set(c, kContracts.any, 5), kFinite | kNanSet);
}

TEST(MsDeformAttnBackwardKinds, OnAPixelItsNeighboursHaveWeightZero) {
  BackwardCase<float> c = one_point(1, 1.5F);
  c.gradient = {kNan};
  EXPECT_EQ(value_set(c, kContracts.any, 5), kNanSet);
  for (const std::size_t neighbour : {4U, 6U})
    EXPECT_EQ(value_set(c, kContracts.any, neighbour), kFinite | kNanSet) << neighbour;
  EXPECT_EQ(value_set(c, kContracts.ignored, 6), kFinite);
  EXPECT_EQ(value_set(c, kContracts.propagates, 6), kNanSet);
  EXPECT_EQ(value_set(c, kContracts.propagates, 4), kFinite);
  EXPECT_EQ(value_set(c, kContracts.any, 7), kFinite);
}

/// Where rounding decides the cell a pixel may be left alone, even by code that multiplies by weights of 0.
TEST(MsDeformAttnBackwardKinds, PixelsOfACellThatMayNotBeTaken) {
  PlainCase<float> plain;
  plain.set_levels({{1, 7}});
  plain.resize();
  plain.locations = {0.5F, 0.5F};
  BackwardCase<float> c(std::move(plain));
  c.gradient = {kNan};
  for (const std::size_t neighbour : {2U, 4U})
    EXPECT_EQ(value_set(c, kContracts.propagates, neighbour), kFinite | kNanSet) << neighbour;
  EXPECT_EQ(value_set(c, kContracts.propagates, 1), kFinite);
  c.locations[0] = -0.5F / 7;  // x is -1 but for rounding: perhaps out of range
  EXPECT_EQ(value_set(c, kContracts.propagates, 0), kFinite | kNanSet);
}

TEST(MsDeformAttnBackwardKinds, OutsideAndOnTheEdge) {
  for (const float x : {-3.0F, -1.0F}) {
    for (const bool of_weight : {false, true}) {
      BackwardCase<float> c = one_point(x, 1.5F);
      (of_weight ? c.weights[0] : c.gradient[0]) = kNan;
      EXPECT_EQ(value_set(c, kContracts.ignored, 4), kFinite);
      EXPECT_EQ(value_set(c, kContracts.any, 4), x == -1 ? kFinite | kNanSet : kFinite);
      EXPECT_EQ(location_set(c, kContracts.any), kFinite | kNanSet);
      Contract skips = kContracts.ignored;
      skips.edge_gradient = EdgeGradient::kZero;
      EXPECT_EQ(location_set(c, skips), kFinite);
      EXPECT_EQ(weight_set(c, kContracts.ignored), kFinite);
      EXPECT_EQ(weight_set(c, kContracts.propagates), of_weight ? kFinite : kNanSet);
    }
  }
}

TEST(MsDeformAttnBackwardKinds, ValuesReachSlopesAndWeights) {
  BackwardCase<float> c = one_point(1.5F, 1.5F);
  c.value[5] = kNan;
  EXPECT_EQ(location_set(c, kContracts.ignored), kNanSet);
  EXPECT_EQ(weight_set(c, kContracts.ignored), kNanSet);
  c.value[5] = kInf;
  EXPECT_EQ(location_set(c, kContracts.ignored), kNanSet | kPlus | kMinus);
  EXPECT_EQ(weight_set(c, kContracts.ignored), kNanSet | kPlus);
  c.weights = {0};
  EXPECT_EQ(location_set(c, kContracts.ignored), kFinite);
  EXPECT_EQ(location_set(c, kContracts.propagates), kNanSet);
  c.weights = {1};
  c.value[5] = 1;
  c.value[15] = kNan;  // pixel (3, 3): in no cell
  EXPECT_EQ(location_set(c, kContracts.any), kFinite);
}

/// Exactly on row 1 the slope in x has nothing to do with the rows beside it, which have weight 0.
TEST(MsDeformAttnBackwardKinds, RowsBesideThatOfThePixel) {
  BackwardCase<float> c = one_point(1.5F, 1);
  c.value[9] = kNan;  // below
  EXPECT_EQ(location_set(c, kContracts.ignored), kFinite);
  EXPECT_EQ(location_set(c, kContracts.propagates), kNanSet);
  EXPECT_EQ(location_set(c, kContracts.any), kFinite | kNanSet);
  c.value[9] = 1;
  c.value[1] = kNan;  // above
  EXPECT_EQ(location_set(c, kContracts.propagates), kFinite);
  EXPECT_EQ(location_set(c, kContracts.any), kFinite | kNanSet);
}

/// Exactly on pixel (1, 1): the slope in x may be that to either side, along the row of the pixel.
TEST(MsDeformAttnBackwardKinds, OnAPixelEitherSlopeMayBeTheOneThatIsNotFinite) {
  BackwardCase<float> c = one_point(1, 1);
  c.value[4] = kNan;  // before it along x
  EXPECT_EQ(location_set(c, kContracts.ignored, 0), kFinite | kNanSet);
  EXPECT_EQ(location_set(c, kContracts.ignored, 1), kFinite);
  c.value[5] = kNan;  // its own
  EXPECT_EQ(location_set(c, kContracts.ignored, 0), kNanSet);
  EXPECT_EQ(location_set(c, kContracts.ignored, 1), kNanSet);
}

TEST(MsDeformAttnBackwardKinds, TheFiniteRestKeepsItsValue) {
  BackwardCase<float> c = one_point(1.25F, 1.5F);
  c.dims.Q = 2;
  c.weights = {0.5F, 1};
  c.locations.insert(c.locations.end(), {kNan, 0.5F});
  c.gradient = {1, 2};
  const Reference reference = refer(c.build(), {}, kContracts.zero).value;
  EXPECT_EQ(set_of(reference, 5), kFinite);
  EXPECT_EQ(reference.outputs[0].value[5], 0.5 * 0.75 * 0.5);
  EXPECT_LT(reference.outputs[0].bound[5], 1e-6);
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
