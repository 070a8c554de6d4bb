#include "oracles/ms_deform_attn/exact_sums.h"

#include "oracles/ms_deform_attn/formulas.h"
#include "oracles/ms_deform_attn/oracle.h"

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// Dyadic everything; `bits` fraction bits in coordinates and weights, values up to 2^bits.
PlainCase<float> dyadic_case(std::uint64_t key, int bits) {
  Dice dice(key);
  PlainCase<float> c;
  c.dims = {1, 0, 1, 2, 3, 1, 2};
  c.set_levels({{4, 8}, {1, 2}});
  c.resize();
  const std::int64_t steps = std::int64_t{1} << bits;
  for (float& v : c.value) v = static_cast<float>(dice.between(-steps, steps));
  for (float& a : c.weights) a = static_cast<float>(dice.between(0, steps)) / static_cast<float>(steps);
  for (float& t : c.locations)
    t = static_cast<float>(dice.between(-8, 8 * steps)) / static_cast<float>(8 * steps);
  return c;
}

bool proved(const PlainCase<float>& c, bool flush_to_zero = false) {
  Precision precision;
  precision.flush_to_zero = flush_to_zero;
  const Case built = c.build();
  return every_evaluation_is_exact(Inputs<float>(parse(built), {}), rounding_of(DType::kFloat32, precision));
}

TEST(Exactness, ProvedCasesAreExactInEveryFormula) {
  int count = 0;
  for (std::uint64_t key = 0; key < 400; ++key) {
    const PlainCase<float> c = dyadic_case(key, 1 + static_cast<int>(key % 5));
    if (!proved(c)) continue;
    ++count;
    const OutputReference output = oracle(DType::kFloat32).evaluate(c.build(), {}, {}, 1).outputs[0];
    for (int position = 0; position < kPositions; ++position) {
      for (int interpolation = 0; interpolation < kInterpolations; ++interpolation) {
        const auto order = static_cast<Order>((position + interpolation) % 5);
        const auto got = evaluate_formula<float>(
            c, {static_cast<Position>(position), static_cast<Interpolation>(interpolation), order});
        for (std::size_t i = 0; i < got.size(); ++i) {
          EXPECT_EQ(output.bound[i], 0);
          EXPECT_EQ(output.value[i], got[i]) << key << " " << position << " " << interpolation;
        }
      }
    }
  }
  EXPECT_GE(count, 100);
}

TEST(Exactness, BrokenBudgetsAreNotProved) {
  const PlainCase<float> good = dyadic_case(1, 2);
  ASSERT_TRUE(proved(good));
  PlainCase<float> c = good;
  c.value[0] = 1.0F + 0x1p-20F;
  EXPECT_FALSE(proved(c));
  c = good;
  c.weights[1] = 0.1F;
  c.locations[2] = c.locations[3] = 0.25F;
  EXPECT_FALSE(proved(c));
  c = good;
  c.weights[1] = 1;
  c.locations[2] = c.locations[3] = 0.3F;
  EXPECT_FALSE(proved(c));
  c = good;
  c.set_levels({{4, 3}, {2, 2}});
  c.resize();
  EXPECT_FALSE(proved(c));
}

TEST(Exactness, TinyNumbersAreNotProved) {
  PlainCase<float> c = dyadic_case(1, 2);
  for (float& v : c.value) v *= 0x1p-140F;
  EXPECT_FALSE(proved(c));
}

TEST(Exactness, PointsThatDoNotContributeDoNotCount) {
  PlainCase<float> c = dyadic_case(1, 2);
  c.weights[0] = 0;
  c.locations[0] = 0.123F;
  c.weights[1] = 0.77F;
  c.locations[2] = 7.77F;
  EXPECT_TRUE(proved(c));
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
