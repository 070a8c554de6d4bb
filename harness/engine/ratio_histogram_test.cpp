#include "engine/ratio_histogram.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(RatioHistogram, IsEmptyAtFirst) {
  const RatioHistogram ratios;
  EXPECT_EQ(ratios.total(), 0);
  EXPECT_EQ(ratios.quantile(0.5), 0);
  EXPECT_EQ(ratios.max(), 0);
}

TEST(RatioHistogram, QuantilesAreWithinAnEighthOfAnOctave) {
  RatioHistogram ratios;
  std::vector<float> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(static_cast<float>(i) / 1000);
  ratios.add(values, 1.0);
  EXPECT_EQ(ratios.total(), 1000);
  for (const double q : {0.01, 0.25, 0.5, 0.9, 0.99}) {
    EXPECT_GE(ratios.quantile(q), q);
    EXPECT_LE(ratios.quantile(q), q * 1.126);
  }
  EXPECT_EQ(ratios.quantile(1), 1.0);
}

TEST(RatioHistogram, KeepsTheExactMaximumAndCapsQuantilesByIt) {
  RatioHistogram ratios;
  ratios.add(std::vector<float>{0.3F, 0.26F}, 0.3);
  EXPECT_EQ(ratios.max(), 0.3);
  EXPECT_EQ(ratios.quantile(1), 0.3);
}

TEST(RatioHistogram, AllExactIsZeroEverywhere) {
  RatioHistogram ratios;
  ratios.add(std::vector<float>(100, 0.0F), 0);
  EXPECT_EQ(ratios.quantile(0.5), 0);
  EXPECT_EQ(ratios.quantile(1), 0);
}

TEST(RatioHistogram, TakesTheExtremes) {
  RatioHistogram ratios;
  const float infinity = std::numeric_limits<float>::infinity();
  ratios.add(std::vector<float>{0.0F, 1e-40F, 1e30F, infinity}, infinity);
  EXPECT_EQ(ratios.total(), 4);
  EXPECT_LE(ratios.quantile(0.5), 0x1.0p-24);
  EXPECT_EQ(ratios.quantile(1), infinity);
}

TEST(RatioHistogram, BinsHoldEveryElementBelowTheirUpperEdge) {
  RatioHistogram ratios;
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{0.0F, 0.5F, 0.51F, 1.0F, 300.0F, infinity};
  ratios.add(values, infinity);
  std::int64_t below = 0;
  double edge = 0;
  for (const RatioHistogram::Bin& bin : ratios.bins()) {
    EXPECT_GT(bin.upper, edge);
    edge = bin.upper;
    below += bin.count;
    EXPECT_EQ(below, std::ranges::count_if(
                         values, [&](float value) { return value < edge || edge == double{infinity}; }));
  }
  EXPECT_EQ(below, ratios.total());
  EXPECT_EQ(edge, double{infinity});
}

TEST(RatioHistogram, AddsUp) {
  RatioHistogram left;
  RatioHistogram right;
  left.add(std::vector<float>{0.5F}, 0.5);
  right.add(std::vector<float>{2.0F, 4.0F}, 4.0);
  left.add(right);
  EXPECT_EQ(left.total(), 3);
  EXPECT_EQ(left.max(), 4.0);
  EXPECT_GE(left.quantile(0.6), 2.0);
}

}  // namespace
}  // namespace deformdiff
