// The gradients' oracles against the mathematics: derivatives, adjoints, symmetries, and what is exact.
#include "oracles/ms_deform_attn/oracle.h"

#include "oracles/ms_deform_attn/backward/formulas.h"

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// One query, head and channel; one level of height x width with the given pixels.
BackwardCase<float> one_level(std::int64_t height, std::int64_t width, std::vector<float> pixels) {
  PlainCase<float> plain;
  plain.set_levels({{height, width}});
  plain.resize();
  plain.value = std::move(pixels);
  return BackwardCase<float>(std::move(plain));
}

/// The location of a pixel coordinate on a level of this side.
float at(double pixel, double side) {
  return static_cast<float>((pixel + 0.5) / side);
}

OutputReference locations_of(const BackwardCase<float>& c, const Contract& contract = {}) {
  return refer(c.build(), {}, contract).location.outputs[0];
}

OutputReference values_of(const BackwardCase<float>& c, const Contract& contract = {}) {
  return refer(c.build(), {}, contract).value.outputs[0];
}

bool admits(const OutputReference& reference, std::size_t element, double number) {
  std::vector<double> got = reference.value;
  got[element] = number;
  return ratios_of(got, reference)[element] <= 1;
}

/// sum(grad_output * output) in quadruple precision.
template <typename T>
__float128 loss_of(const BackwardCase<T>& c) {
  const auto output =
      evaluate_formula<__float128>(c, {Position::kFused, Interpolation::kProduct, Order::kForward});
  __float128 loss = 0;
  for (std::size_t i = 0; i < output.size(); ++i) loss += output[i] * static_cast<__float128>(c.gradient[i]);
  return loss;
}

/// Central difference of the loss in one number; exact to second order, and to rounding where it is linear.
template <typename T>
double difference(BackwardCase<T>& c, T& number, double step) {
  const T saved = number;
  number = static_cast<T>(saved + step);
  const __float128 above = loss_of(c), high = number;
  number = static_cast<T>(saved - step);
  const __float128 below = loss_of(c), low = number;
  number = saved;
  return static_cast<double>((above - below) / (high - low));
}

bool near_a_border(double location, std::int64_t side) {
  const double x = location * static_cast<double>(side) - 0.5;
  return std::fabs(x - std::round(x)) < 1e-3;
}

TEST(MsDeformAttnBackwardOracle, FiniteDifferencesAgree) {
  BackwardCase<double> c = typical_backward<double>(5, 2);
  const GradientReferences wanted = refer(c.build());
  Dice dice(6);
  int locations = 0;
  for (int round = 0; round < 60; ++round) {
    const auto v = static_cast<std::size_t>(dice.below(c.value.size()));
    EXPECT_NEAR(difference(c, c.value[v], 0.5), wanted.value.outputs[0].value[v], 1e-12);
    const auto a = static_cast<std::size_t>(dice.below(c.weights.size()));
    EXPECT_NEAR(difference(c, c.weights[a], 0.5), wanted.weight.outputs[0].value[a], 1e-12);
    const auto x = static_cast<std::size_t>(dice.below(c.locations.size()));
    const Level& level = c.levels[x / 8 % 3];
    if (near_a_border(c.locations[x], x % 2 == 0 ? level.width : level.height)) continue;
    EXPECT_NEAR(difference(c, c.locations[x], 1e-5), wanted.location.outputs[0].value[x], 1e-9);
    ++locations;
  }
  EXPECT_GE(locations, 50);
}

/// Loss is linear in value and in the weights, so each gradient times its input gives it back.
TEST(MsDeformAttnBackwardOracle, AdjointsAgree) {
  for (std::uint64_t key = 0; key < 10; ++key) {
    const BackwardCase<float> c = typical_backward<float>(key);
    const GradientReferences wanted = refer(c.build());
    const OutputReference output =
        oracle(DType::kFloat32).evaluate(c.PlainCase<float>::build(), {}, {}, 1).outputs[0];
    double by_output = 0, by_value = 0, by_weight = 0, magnitude = 0;
    for (std::size_t i = 0; i < c.gradient.size(); ++i) {
      by_output += static_cast<double>(c.gradient[i]) * output.value[i];
      magnitude += std::fabs(static_cast<double>(c.gradient[i]) * output.value[i]);
    }
    for (std::size_t i = 0; i < c.value.size(); ++i)
      by_value += static_cast<double>(c.value[i]) * wanted.value.outputs[0].value[i];
    for (std::size_t i = 0; i < c.weights.size(); ++i)
      by_weight += static_cast<double>(c.weights[i]) * wanted.weight.outputs[0].value[i];
    EXPECT_NEAR(by_output, by_value, 1e-12 * magnitude);
    EXPECT_NEAR(by_output, by_weight, 1e-12 * magnitude);
  }
}

void expect_scaled(const OutputReference& once, const OutputReference& twice) {
  for (std::size_t i = 0; i < once.value.size(); ++i) {
    EXPECT_EQ(2 * once.value[i], twice.value[i]);
    EXPECT_NEAR(2 * once.bound[i], twice.bound[i], 1e-6 * twice.bound[i]);
  }
}

TEST(MsDeformAttnBackwardOracle, GradientsAreLinearInTheOutputs) {
  BackwardCase<float> c = typical_backward<float>(2);
  const GradientReferences once = refer(c.build());
  for (float& g : c.gradient) g *= 2;
  const GradientReferences twice = refer(c.build());
  expect_scaled(once.value.outputs[0], twice.value.outputs[0]);
  expect_scaled(once.location.outputs[0], twice.location.outputs[0]);
  expect_scaled(once.weight.outputs[0], twice.weight.outputs[0]);
}

TEST(MsDeformAttnBackwardOracle, QueriesPermute) {
  const BackwardCase<float> c = typical_backward<float>(3);
  BackwardCase<float> rotated = c;
  const auto rotate = [&](auto& numbers) {
    std::rotate(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size()) / c.dims.Q,
                numbers.end());
  };
  for (auto* numbers : {&rotated.locations, &rotated.weights, &rotated.gradient}) rotate(*numbers);
  GradientReferences wanted = refer(c.build());
  const GradientReferences got = refer(rotated.build());
  for (OutputReference* output : {&wanted.location.outputs[0], &wanted.weight.outputs[0]}) {
    rotate(output->value);
    rotate(output->bound);
  }
  EXPECT_EQ(wanted.location.outputs[0].value, got.location.outputs[0].value);
  EXPECT_EQ(wanted.location.outputs[0].bound, got.location.outputs[0].bound);
  EXPECT_EQ(wanted.weight.outputs[0].value, got.weight.outputs[0].value);
  for (std::size_t i = 0; i < got.value.outputs[0].value.size(); ++i) {
    const double bound = got.value.outputs[0].bound[i];
    EXPECT_NEAR(wanted.value.outputs[0].value[i], got.value.outputs[0].value[i], 1e-6 * bound);
    EXPECT_NEAR(wanted.value.outputs[0].bound[i], bound, 1e-9 * bound);
  }
}

TEST(MsDeformAttnBackwardOracle, ThreadsDoNotMatter) {
  BackwardCase<float> c = typical_backward<float>(4);
  for (std::size_t i = 0; i < c.locations.size(); i += 6) c.locations[i] = at(1, 4);
  const GradientReferences one = refer(c.build(), {}, {}, 1), two = refer(c.build(), {}, {}, 3);
  EXPECT_EQ(one.value.outputs[0].value, two.value.outputs[0].value);
  EXPECT_EQ(one.value.outputs[0].bound, two.value.outputs[0].bound);
  EXPECT_EQ(one.location.outputs[0].value, two.location.outputs[0].value);
  EXPECT_EQ(one.location.telling_elements, two.location.telling_elements);
  ASSERT_EQ(one.location.outputs[0].alternatives.size(), two.location.outputs[0].alternatives.size());
  std::int64_t before = 0;
  for (std::size_t i = 0; i < one.location.outputs[0].alternatives.size(); ++i) {
    const Alternative &a = one.location.outputs[0].alternatives[i],
                      &b = two.location.outputs[0].alternatives[i];
    EXPECT_EQ(a.element, b.element);
    EXPECT_EQ(a.value, b.value);
    EXPECT_GE(a.element, before);
    before = a.element;
  }
  EXPECT_GE(one.location.outputs[0].alternatives.size(), 20U);
}

TEST(MsDeformAttnBackwardOracle, ValuesThatNoPointReachesAreExactlyZero) {
  BackwardCase<float> c = one_level(4, 4, std::vector<float>(16, 1.3F));
  c.locations = {at(1.25, 4), at(2.75, 4)};
  c.weights = {0.3F};
  c.gradient = {0.7F};
  const OutputReference output = values_of(c);
  for (std::size_t i = 0; i < 16; ++i) {
    const bool reached = i == 9 || i == 10 || i == 13 || i == 14;
    EXPECT_EQ(output.value[i] != 0, reached) << i;
    EXPECT_EQ(output.bound[i] > 0, reached) << i;
  }
  EXPECT_NEAR(output.value[10], 0.25 * 0.25 * 0.21, 1e-8);
  c.locations[0] = -2;
  for (const double bound : values_of(c).bound) EXPECT_EQ(bound, 0);
}

/// Pixel 3 of 7 is at location 1/2, where some formulas round to either side.
TEST(MsDeformAttnBackwardOracle, APixelReachedByRoundingAloneIsBoundedByTheShift) {
  for (const bool along_y : {false, true}) {
    BackwardCase<float> c = one_level(along_y ? 7 : 1, along_y ? 1 : 7, std::vector<float>(7, 1));
    c.locations = {0.5F, 0.5F};
    const OutputReference output = values_of(c);
    for (const std::size_t neighbour : {2U, 4U}) {
      EXPECT_EQ(output.value[neighbour], 0);
      EXPECT_GT(output.bound[neighbour], 0);
      EXPECT_LT(output.bound[neighbour], 3e-6);
      const Explanation why = value_gradient_oracle(DType::kFloat32)
                                  .explain(c.build(), {}, {}, static_cast<std::int64_t>(neighbour));
      for (const auto& [name, term] : why.terms) {
        if (name == "weight rounding") {
          EXPECT_GT(term, 0) << "in the cell that rounding may choose";
        }
      }
    }
    EXPECT_EQ(output.bound[1] + output.bound[5], 0);
  }
}

TEST(MsDeformAttnBackwardOracle, LevelsThatOverlapAddUp) {
  PlainCase<float> plain;
  plain.set_levels({{1, 1}, {1, 1}});
  plain.dims.S = 3;
  plain.resize();
  plain.weights = {0.25F, 0.5F};
  plain.levels[0].start = plain.levels[1].start = 1;
  BackwardCase<float> c(std::move(plain));
  EXPECT_EQ(values_of(c).value, (std::vector<double>{0, 0.75, 0}));
  EXPECT_EQ(values_of(c).bound, (std::vector<double>{0, 0, 0}));
  Contract ignores;
  ignores.level_start_index = LevelStartIndex::kIgnored;
  EXPECT_EQ(values_of(c, ignores).value, (std::vector<double>{0.25, 0.5, 0}));
}

TEST(MsDeformAttnBackwardOracle, PointsOutsideGiveExactlyZero) {
  BackwardCase<float> c = one_level(3, 5, std::vector<float>(15, 1.7F));
  c.locations = {1.5F, 0.4F};
  const GradientReferences wanted = refer(c.build());
  EXPECT_EQ(wanted.location.outputs[0].value, (std::vector<double>{0, 0}));
  EXPECT_EQ(wanted.location.outputs[0].bound, (std::vector<double>{0, 0}));
  EXPECT_TRUE(wanted.location.outputs[0].alternatives.empty());
  EXPECT_EQ(wanted.weight.outputs[0].value[0], 0);
  EXPECT_EQ(wanted.weight.outputs[0].bound[0], 0);
}

/// Left and right of pixel (1, 1) the slopes differ: each is right, what lies between is not.
TEST(MsDeformAttnBackwardOracle, OnAPixelBothSlopesAreRightAndNoMixIs) {
  BackwardCase<float> c = one_level(4, 4, {0, 0, 0, 0, 1, 2, 5, 0, 0, 9, 0, 0, 0, 0, 0, 0});
  c.locations = {at(1, 4), at(1, 4)};
  const OutputReference output = locations_of(c);
  ASSERT_EQ(output.alternatives.size(), 2U);
  for (const double bound : {output.bound[0], output.bound[1], output.alternatives[0].bound})
    EXPECT_EQ(bound, 0);
  EXPECT_TRUE(admits(output, 0, 4 * (5 - 2)));
  EXPECT_TRUE(admits(output, 0, 4 * (2 - 1)));
  EXPECT_FALSE(admits(output, 0, 2 * (5 - 2) + 2 * (2 - 1)));
  EXPECT_TRUE(admits(output, 1, 4 * (9 - 2)));
  EXPECT_TRUE(admits(output, 1, 4 * (2 - 0)));
  EXPECT_FALSE(admits(output, 1, 4 * (9 - 0) / 2.0));
}

/// The same where the coordinate rounds to either side; channels may not each take their own cell.
TEST(MsDeformAttnBackwardOracle, WhereRoundingDecidesTheCellChannelsTakeItTogether) {
  PlainCase<float> plain;
  plain.dims.D = 2;
  plain.set_levels({{1, 7}});
  plain.resize();
  for (std::int64_t s = 0; s < 7; ++s) {
    plain.at(0, s, 0, 0) = static_cast<float>(s == 4 ? 1 : 0);  // slopes 0, 1
    plain.at(0, s, 0, 1) = static_cast<float>(s == 2 ? 1 : 0);  // slopes -1, 0
  }
  plain.locations = {0.5F, 0.5F};
  const BackwardCase<float> c(std::move(plain));
  const OutputReference output = locations_of(c);
  EXPECT_TRUE(admits(output, 0, 7));
  EXPECT_TRUE(admits(output, 0, -7));
  EXPECT_FALSE(admits(output, 0, 0));
  EXPECT_GT(output.bound[0], 0);
  EXPECT_LT(output.bound[0], 1e-4);
}

TEST(MsDeformAttnBackwardOracle, EdgesFollowTheContract) {
  Contract any, zero, one_sided;
  zero.edge_gradient = EdgeGradient::kZero;
  one_sided.edge_gradient = EdgeGradient::kOneSided;
  for (const bool along_y : {false, true}) {
    BackwardCase<float> c = one_level(4, 4, std::vector<float>(16, 3));
    const std::size_t element = along_y ? 1 : 0;
    c.locations = {at(1, 4), at(1, 4)};
    c.locations[element] = at(-1, 4);
    EXPECT_TRUE(admits(locations_of(c, any), element, 0));
    EXPECT_TRUE(admits(locations_of(c, any), element, 12));
    EXPECT_FALSE(admits(locations_of(c, any), element, 6));
    EXPECT_TRUE(admits(locations_of(c, zero), element, 0));
    EXPECT_FALSE(admits(locations_of(c, zero), element, 12));
    EXPECT_FALSE(admits(locations_of(c, one_sided), element, 0));
    EXPECT_TRUE(admits(locations_of(c, one_sided), element, 12));
    c.locations[element] = at(4, 4);
    EXPECT_TRUE(admits(locations_of(c, any), element, 0));
    EXPECT_TRUE(admits(locations_of(c, any), element, -12));
    EXPECT_FALSE(admits(locations_of(c, zero), element, -12));
    EXPECT_TRUE(admits(locations_of(c, one_sided), element, -12));
    // The other coordinate's slope is that of nothing.
    EXPECT_EQ(locations_of(c, any).value[1 - element], 0);
    EXPECT_EQ(locations_of(c, any).bound[1 - element], 0);
  }
}

/// On sides that are no power of two rounding decides whether -1 is outside, whatever is declared.
TEST(MsDeformAttnBackwardOracle, RoundingAtTheEdgeAdmitsBoth) {
  BackwardCase<float> c = one_level(1, 7, std::vector<float>(7, 3));
  c.locations = {at(-1, 7), 0.5F};
  Contract zero;
  zero.edge_gradient = EdgeGradient::kZero;
  EXPECT_TRUE(admits(locations_of(c, zero), 0, 0));
  EXPECT_TRUE(admits(locations_of(c, zero), 0, 21));
  EXPECT_FALSE(admits(locations_of(c, zero), 0, 20));
}

/// Whole numbers and dyadic fractions: every formula gives the same numbers, so nothing else is admitted.
TEST(MsDeformAttnBackwardOracle, ExactCasesAreExactInEveryFormula) {
  int exact = 0;
  for (std::uint64_t key = 0; key < 60; ++key) {
    Dice dice(key);
    PlainCase<float> plain;
    plain.dims = {1, 0, 2, 2, 3, 1, 2};
    plain.set_levels({{4, 8}, {1, 2}});
    plain.resize();
    for (float& v : plain.value) v = static_cast<float>(dice.between(-8, 8));
    for (float& a : plain.weights) a = static_cast<float>(dice.between(0, 4)) / 4;
    for (float& t : plain.locations) t = static_cast<float>(dice.between(-8, 40)) / 32;
    BackwardCase<float> c(std::move(plain));
    for (float& g : c.gradient) g = static_cast<float>(dice.between(-4, 4)) / 2;
    const GradientReferences wanted = refer(c.build());
    for (const Reference* reference : {&wanted.value, &wanted.location, &wanted.weight}) {
      for (const double bound : reference->outputs[0].bound) EXPECT_EQ(bound, 0);
      exact += static_cast<int>(reference->telling_elements);
    }
    for (int f = 0; f < 60; ++f) {
      const Gradients<float> got = evaluate_backward<float>(
          c, {static_cast<Position>(f % kPositions), static_cast<Scatter>(f % kScatters),
              static_cast<Slopes>(f % kSlopes), static_cast<Interpolation>(f % kInterpolations),
              f % 2 == 0 ? Order::kForward : Order::kPairwise});
      EXPECT_EQ(largest_ratio(got.value, wanted.value.outputs[0]), 0) << key << " " << f;
      EXPECT_EQ(largest_ratio(got.location, wanted.location.outputs[0]), 0) << key << " " << f;
      EXPECT_EQ(largest_ratio(got.weight, wanted.weight.outputs[0]), 0) << key << " " << f;
    }
  }
  EXPECT_GE(exact, 2000);
}

TEST(MsDeformAttnBackwardOracle, BrokenBudgetsAreNotExact) {
  BackwardCase<float> c = one_level(4, 4, std::vector<float>(16, 1));
  c.locations = {at(1.25, 4), at(1.5, 4)};
  c.gradient = {0.1F};
  const GradientReferences wanted = refer(c.build());
  EXPECT_GT(wanted.value.outputs[0].bound[5], 0);
  EXPECT_GT(wanted.location.outputs[0].bound[0], 0);
  EXPECT_GT(wanted.weight.outputs[0].bound[0], 0);
  c.gradient = {1};
  c.locations[1] = 0.3F;
  EXPECT_GT(values_of(c).bound[5], 0);
  EXPECT_GT(locations_of(c).bound[0], 0);
  EXPECT_EQ(locations_of(c).bound[1], 0);  // across it, x is still dyadic
  c.weights = {0.1F};
  EXPECT_GT(locations_of(c).bound[1], 0);
}

/// A row that others do not reach is as exact as it would be without them.
TEST(MsDeformAttnBackwardOracle, ExactnessIsProvedARowAtATime) {
  BackwardCase<float> c = one_level(1, 8, std::vector<float>(8, 1));
  c.dims.P = 2;
  c.weights = {0.1F, 0.25F};
  c.locations = {at(1.25, 8), 0.5F, at(5.25, 8), 0.5F};
  const OutputReference output = values_of(c);
  EXPECT_GT(output.bound[1], 0);
  EXPECT_EQ(output.value[5], 0.1875);
  EXPECT_EQ(output.bound[5], 0);
}

constexpr BackwardFormula kPlain{Position::kFused, Scatter::kProduct, Slopes::kKernel,
                                 Interpolation::kProduct, Order::kForward};

/// Nothing but two or three products, on a pixel of a map whose sides multiply exactly.
TEST(MsDeformAttnBackwardOracle, ProductsRoundOnAPixelToo) {
  BackwardCase<float> c = one_level(2, 2, {0.3F, 0, 0, 0});
  c.locations = {at(0, 2), at(0, 2)};
  c.weights = {0.7F};
  c.gradient = {0.9F};
  const GradientReferences wanted = refer(c.build());
  const Gradients<float> got = evaluate_backward<float>(c, kPlain);
  for (const double ratio : {largest_ratio(got.value, wanted.value.outputs[0]),
                             largest_ratio(got.location, wanted.location.outputs[0]),
                             largest_ratio(got.weight, wanted.weight.outputs[0])}) {
    EXPECT_GT(ratio, 0.1);
    EXPECT_LE(ratio, 1);
  }
}

/// A lone pixel, point and channel: of value and weight the product is the forward's, by another factor.
TEST(MsDeformAttnBackwardOracle, BoundsOfOneTermAreTheForwards) {
  for (std::uint64_t key = 0; key < 200; ++key) {
    Dice dice(key);
    BackwardCase<float> c = one_level(1, 1, {static_cast<float>(dice.uniform(0.1, 1))});
    c.locations = {static_cast<float>(dice.uniform(-0.4, 1.4)), static_cast<float>(dice.uniform(-0.4, 1.4))};
    c.weights = {static_cast<float>(dice.uniform(0.1, 1))};
    c.gradient = {static_cast<float>(dice.uniform(0.1, 1))};
    const auto forward = [&](float value, float weight) {
      PlainCase<float> plain = c;
      plain.value = {value};
      plain.weights = {weight};
      return oracle(DType::kFloat32).evaluate(plain.build(), {}, {}, 1).outputs[0].bound[0];
    };
    const GradientReferences wanted = refer(c.build());
    const double of_value = forward(c.gradient[0], c.weights[0]),
                 of_weight = forward(c.value[0], c.gradient[0]);
    EXPECT_NEAR(wanted.value.outputs[0].bound[0], of_value, 1e-6 * of_value);
    EXPECT_NEAR(wanted.weight.outputs[0].bound[0], of_weight, 1e-6 * of_weight);
  }
}

/// What the bounds must be narrow enough for, on every typical case.
TEST(MsDeformAttnBackwardOracle, FaultsLeaveTheSets) {
  for (std::uint64_t key = 0; key < 10; ++key) {
    const BackwardCase<float> c = typical_backward<float>(key, key % 2 == 0 ? 8 : 32);
    const GradientReferences wanted = refer(c.build());
    const Gradients<float> right = evaluate_backward<float>(c, kPlain);
    const auto found = [&](const Gradients<float>& wrong) {
      return std::array{largest_ratio(wrong.value, wanted.value.outputs[0]) > 1,
                        largest_ratio(wrong.location, wanted.location.outputs[0]) > 1,
                        largest_ratio(wrong.weight, wanted.weight.outputs[0]) > 1};
    };
    EXPECT_EQ(found(right), (std::array{false, false, false}));
    Gradients<float> off = right;
    for (auto* numbers : {&off.value, &off.location, &off.weight}) {
      for (float& t : *numbers) t *= 1.0001F;
    }
    EXPECT_EQ(found(off), (std::array{true, true, true})) << "a relative error of 1e-4, case " << key;
    off = right;
    for (std::size_t i = 0; i < off.location.size(); i += 2) {
      const Level& level = c.levels[i / 8 % 3];
      off.location[i] *= static_cast<float>(level.height) / static_cast<float>(level.width);
    }
    EXPECT_TRUE(found(off)[1]) << "H for W";
    BackwardCase<float> changed = c;
    changed.weights[5] = 0;  // a term that is dropped
    EXPECT_TRUE(found(evaluate_backward<float>(changed, kPlain))[0]);
    changed.weights[5] = 2 * c.weights[5];  // or added twice
    EXPECT_TRUE(found(evaluate_backward<float>(changed, kPlain))[0]);
    EXPECT_TRUE(found(evaluate_backward<float>(changed, kPlain))[1]);
    changed = c;
    changed.gradient[3] = 0;
    EXPECT_EQ(found(evaluate_backward<float>(changed, kPlain)), (std::array{true, true, true}));
  }
}

TEST(MsDeformAttnBackwardOracle, ExplanationsAddUpToTheBounds) {
  for (const std::uint64_t key : {2U, 11U, 17U}) {
    const Case c = tricky_backward<float>(key).build();
    for (auto* judge : {&value_gradient_oracle, &location_gradient_oracle, &weight_gradient_oracle}) {
      const Oracle& of = judge(DType::kFloat32);
      const OutputReference output = of.evaluate(c, {}, {}, 1).outputs[0];
      for (std::size_t i = 0; i < std::min<std::size_t>(output.bound.size(), 40); ++i) {
        const Explanation why = of.explain(c, {}, {}, static_cast<std::int64_t>(i));
        double sum = 0;
        for (const auto& [name, term] : why.terms) sum += term;
        EXPECT_NEAR(sum, output.bound[i], 1e-9 * output.bound[i]);
        EXPECT_TRUE(std::is_sorted(why.terms.rbegin(), why.terms.rend(),
                                   [](const auto& a, const auto& b) { return a.second < b.second; }));
        EXPECT_FALSE(why.lines.empty());
      }
    }
  }
}

TEST(MsDeformAttnBackwardOracle, ElementClasses) {
  BackwardCase<float> c = one_level(4, 4, std::vector<float>(16, 1.5F));
  const std::vector<std::int64_t> first{0}, fifth{5};
  const auto classes = [&](float x, float y) {
    c.locations = {x, y};
    const Case built = c.build();
    return std::array{value_gradient_oracle(DType::kFloat32).element_classes(built, fifth).front(),
                      location_gradient_oracle(DType::kFloat32).element_classes(built, first).front(),
                      weight_gradient_oracle(DType::kFloat32).element_classes(built, first).front()};
  };
  using Names = std::array<std::string, 3>;
  EXPECT_EQ(classes(0.4F, 0.4F), (Names{"interior", "interior", "interior"}));
  EXPECT_EQ(classes(0.01F, 0.6F), (Names{"outside", "border", "border"}));
  EXPECT_EQ(classes(0.5F, 2.0F), (Names{"outside", "outside", "outside"}));
  EXPECT_EQ(classes(0.5F, std::nanf("")), (Names{"nonfinite", "nonfinite", "nonfinite"}));
  c.gradient = {std::nanf("")};
  EXPECT_EQ(classes(0.4F, 0.4F), (Names{"nonfinite", "nonfinite", "nonfinite"}));
}

TEST(MsDeformAttnBackwardOracle, VacuousCasesSayWhy) {
  BackwardCase<float> c = one_level(4, 4, std::vector<float>(16, 1.5F));
  c.locations = {at(-0.25, 4), at(-0.25, 4)};
  GradientReferences wanted = refer(c.build());
  for (const Reference* reference : {&wanted.value, &wanted.location, &wanted.weight}) {
    EXPECT_EQ(reference->vacuous, "");
    EXPECT_GT(reference->telling_elements, 0);
  }
  c.gradient = {0};
  wanted = refer(c.build());
  for (const Reference* reference : {&wanted.value, &wanted.location, &wanted.weight})
    EXPECT_EQ(reference->vacuous, "every expected output is zero");
  for (int axis = 0; axis < 5; ++axis) {
    PlainCase<float> plain;
    std::int64_t* extents[] = {&plain.dims.N, &plain.dims.Q, &plain.dims.M, &plain.dims.D, &plain.dims.P};
    *extents[axis] = 0;
    plain.set_levels({{2, 2}});
    plain.resize();
    wanted = refer(BackwardCase<float>(std::move(plain)).build(), {}, {}, 2);
    for (const Reference* reference : {&wanted.value, &wanted.location, &wanted.weight})
      EXPECT_NE(reference->vacuous, "") << axis;
  }
}

TEST(MsDeformAttnBackwardOracle, OverflowingIntermediatesAdmitAnything) {
  BackwardCase<float> c = one_level(1, 2, {1, 2});
  c.locations = {0.45F, 0.5F};
  c.gradient = {3e38F};
  const auto expect = [&](const Reference& reference, int set) {
    const OutputReference& output = reference.outputs[0];
    EXPECT_EQ(output.admits.empty() ? int{kAdmitsFinite} : int{output.admits[0]}, set);
  };
  GradientReferences wanted = refer(c.build());
  for (const Reference* reference : {&wanted.value, &wanted.location, &wanted.weight})
    expect(*reference, kAdmitsAnything);
  c.gradient = {1e30F};
  wanted = refer(c.build());
  for (const Reference* reference : {&wanted.value, &wanted.location, &wanted.weight})
    expect(*reference, kAdmitsFinite);
  c.gradient = {1};
  c.value = {3e38F, -3e38F};
  wanted = refer(c.build());
  expect(wanted.value, kAdmitsFinite);
  expect(wanted.location, kAdmitsAnything);
  expect(wanted.weight, kAdmitsAnything);
}

TEST(MsDeformAttnBackwardOracle, OtherDtypesAreRefused) {
  const Case c = one_level(1, 1, {1}).build();
  for (auto* judge : {&value_gradient_oracle, &location_gradient_oracle, &weight_gradient_oracle}) {
    EXPECT_THROW(judge(DType::kFloat64).evaluate(c, {}, {}, 1), InputError);
    EXPECT_THROW(judge(DType::kInt64), InternalError);
  }
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
