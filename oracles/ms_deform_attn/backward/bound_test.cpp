// The false-alarm and sharpness test of the gradients: correct evaluations of many kinds stay in the sets,
// and come near their ends.
#include "oracles/ms_deform_attn/backward/formulas.h"
#include "oracles/ms_deform_attn/flush_to_zero_test.h"

#include <cstdio>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr double kSharpness = 0.2;  ///< the largest error of correct code must reach this part of the bound

const std::vector<Order> kOrders{Order::kForward, Order::kReversed, Order::kPairwise, Order::kWideSum};

struct Largest {
  double value = 0, location = 0, weight = 0;

  void print(const char* what) const {
    std::printf("%s: largest error / bound: value %.3g, location %.3g, weight %.3g\n", what, value, location,
                weight);
  }
};

template <typename T>
void note(const char* output, std::uint64_t key, const BackwardFormula& formula, const std::vector<T>& got,
          const OutputReference& wanted, double& largest) {
  const std::vector<double> ratios = ratios_of(got, wanted);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_LE(ratios[i], 1) << output << " " << i << " of case " << key << ", position "
                            << static_cast<int>(formula.position) << " scatter "
                            << static_cast<int>(formula.scatter) << " slopes "
                            << static_cast<int>(formula.slopes) << " interpolation "
                            << static_cast<int>(formula.interpolation) << " order "
                            << static_cast<int>(formula.order) << ": " << got[i] << ", wanted "
                            << wanted.value[i] << " +- " << wanted.bound[i];
    largest = std::max(largest, ratios[i]);
  }
}

/// Divisions by 1 / side are for those who may compute coordinates in any way.
BackwardFormula formula_of(std::uint64_t key, std::size_t f, Position position, Coordinates coordinates) {
  const int slopes = coordinates == Coordinates::kAny ? kSlopes : static_cast<int>(Slopes::kReciprocal);
  return {position, static_cast<Scatter>((key + f) % kScatters),
          static_cast<Slopes>((key + 3 * f) % static_cast<std::size_t>(slopes)),
          static_cast<Interpolation>((key + 5 * f) % kInterpolations),
          kOrders[(key / 3 + f) % kOrders.size()]};
}

template <typename T>
Gradients<T> run_formula(const BackwardCase<T>& c, const BackwardFormula& formula, bool flush_to_zero) {
  const FlushToZero guard(flush_to_zero);
  return evaluate_backward<T>(c, formula);
}

template <typename T, typename MakeCase>
Largest largest_ratios(std::uint64_t cases, const MakeCase& make, const Precision& precision,
                       const std::vector<Position>& positions) {
  Largest largest;
  for (std::uint64_t key = 0; key < cases && !testing::Test::HasFailure(); ++key) {
    const BackwardCase<T> c = make(key);
    const GradientReferences wanted = refer(c.build(), precision);
    for (std::size_t f = 0; f < 12; ++f) {
      const BackwardFormula formula =
          formula_of(key, f, positions[(key + f) % positions.size()], precision.coordinates);
      const Gradients<T> got = run_formula<T>(c, formula, precision.flush_to_zero);
      note("value", key, formula, got.value, wanted.value.outputs[0], largest.value);
      note("location", key, formula, got.location, wanted.location.outputs[0], largest.location);
      note("weight", key, formula, got.weight, wanted.weight.outputs[0], largest.weight);
    }
  }
  return largest;
}

std::vector<Position> all_positions() {
  std::vector<Position> all;
  for (int i = 0; i < kPositions; ++i) all.push_back(static_cast<Position>(i));
  return all;
}

void expect_sharp(const Largest& largest, const char* what) {
  largest.print(what);
  EXPECT_GE(largest.value, kSharpness);
  EXPECT_GE(largest.location, kSharpness);
  EXPECT_GE(largest.weight, kSharpness);
}

TEST(MsDeformAttnBackwardBound, HoldsForTrickyFloat32) {
  expect_sharp(largest_ratios<float>(1200, tricky_backward<float>, {}, all_positions()), "tricky float32");
}

TEST(MsDeformAttnBackwardBound, HoldsForTrickyFloat64) {
  expect_sharp(largest_ratios<double>(600, tricky_backward<double>, {}, all_positions()), "tricky float64");
}

TEST(MsDeformAttnBackwardBound, HoldsForFusedFloat32) {
  Precision precision;
  precision.coordinates = Coordinates::kFused;
  expect_sharp(largest_ratios<float>(600, tricky_backward<float>, precision,
                                     {Position::kFused, Position::kFusedFma, Position::kWide}),
               "fused float32");
}

TEST(MsDeformAttnBackwardBound, HoldsWhereSubnormalsAreFlushed) {
  Precision precision;
  precision.flush_to_zero = true;
  expect_sharp(largest_ratios<float>(600, tricky_backward<float>, precision, all_positions()),
               "flushed float32");
}

/// No coordinate rounds, and few numbers are added: corner weights and products alone.
TEST(MsDeformAttnBackwardBound, HoldsWhereCoordinatesAreExact) {
  const auto make = [](std::uint64_t key) {
    PlainCase<float> plain;
    plain.dims.Q = 20;
    plain.set_levels({{16, 32}});
    plain.resize();
    BackwardCase<float> c(std::move(plain));
    Dice dice(key);
    for (auto* numbers : {&c.value, &c.weights, &c.gradient}) {
      for (float& t : *numbers) t = static_cast<float>(dice.uniform(0.5, 1) * (dice.below(2) == 0 ? 1 : -1));
    }
    for (float& t : c.locations) t = static_cast<float>(dice.between(0, 1 << 17)) / (1 << 17);
    return c;
  };
  expect_sharp(largest_ratios<float>(2000, make, {}, all_positions()), "exact coordinates, float32");
}

TEST(MsDeformAttnBackwardBound, HoldsForTypicalFloat32) {
  const auto make = [](std::uint64_t key) { return typical_backward<float>(key); };
  expect_sharp(largest_ratios<float>(10, make, {}, all_positions()), "typical float32");
}

/// One 1 and then numbers just above half a unit of it: each addition, done in this order, rounds up.
std::vector<float> rounding_up(std::size_t count) {
  std::vector<float> numbers(count, 0x1p-24F * (1 + 0x1p-20F));
  numbers[0] = 1;
  return numbers;
}

/// Several thousand terms for one pixel are ordinary, and may come in any order.
TEST(MsDeformAttnBackwardBound, SumsInTheWorstOrderReachIt) {
  constexpr std::int64_t kTerms = 3000;
  const BackwardFormula in_order{Position::kFused, Scatter::kProduct, Slopes::kKernel,
                                 Interpolation::kProduct, Order::kForward};
  PlainCase<float> plain;
  plain.dims.Q = kTerms;
  plain.set_levels({{1, 1}});
  plain.resize();
  BackwardCase<float> queries(std::move(plain));
  queries.gradient = rounding_up(kTerms);
  const double value = largest_ratio(evaluate_backward<float>(queries, in_order).value,
                                     refer(queries.build()).value.outputs[0]);
  plain = {};
  plain.dims.D = kTerms;
  plain.set_levels({{1, 2}});
  plain.resize();
  for (std::int64_t d = 0; d < kTerms; ++d) plain.at(0, 1, 0, d) = 1;
  BackwardCase<float> channels(std::move(plain));
  channels.gradient = rounding_up(kTerms);
  channels.locations = {0.5F, 0.5F};
  const double location = largest_ratio(evaluate_backward<float>(channels, in_order).location,
                                        refer(channels.build()).location.outputs[0]);
  channels.locations = {0.75F, 0.5F};
  const double weight = largest_ratio(evaluate_backward<float>(channels, in_order).weight,
                                      refer(channels.build()).weight.outputs[0]);
  std::printf("worst order: value %.3f, location %.3f, weight %.3f\n", value, location, weight);
  for (const double ratio : {value, location, weight}) {
    EXPECT_GE(ratio, 0.95);
    EXPECT_LE(ratio, 1);
  }
}

/// Near one row the sums of the polynomial's monomials are large beside their difference. Here one of them
/// rounds up and the other down.
TEST(MsDeformAttnBackwardBound, SumsOfMonomialsInTheWorstOrderReachIt) {
  constexpr std::int64_t kTerms = 3000;
  for (const bool from_below : {false, true}) {
    PlainCase<float> plain;
    plain.dims.D = kTerms;
    plain.set_levels({{2, 2}});
    plain.resize();
    const std::int64_t own = from_below ? 3 : 1, other = from_below ? 1 : 3;
    for (std::int64_t d = 0; d < kTerms; ++d) {
      plain.at(0, own, 0, d) = 1;
      plain.at(0, other, 0, d) = d == 0 ? 0 : 0x1p-18F;
    }
    plain.locations = {0.5F, from_below ? 0.28125F : 0.71875F};  // 15/16 of the way to the other row
    BackwardCase<float> c(std::move(plain));
    c.gradient = rounding_up(kTerms);
    const BackwardFormula formula{Position::kFused, Scatter::kProduct,
                                  from_below ? Slopes::kPolynomialFar : Slopes::kPolynomial,
                                  Interpolation::kProduct, Order::kForward};
    const double ratio =
        ratios_of(evaluate_backward<float>(c, formula).location, refer(c.build()).location.outputs[0])[0];
    EXPECT_GE(ratio, 0.95) << from_below;
    EXPECT_LE(ratio, 1) << from_below;
  }
}

/// The oracles against quadruple precision: their own errors are a small part of the bounds.
template <typename T>
Largest largest_oracle_errors() {
  Largest largest;
  const BackwardFormula exact{Position::kFused, Scatter::kProduct, Slopes::kCorners, Interpolation::kProduct,
                              Order::kForward};
  for (std::uint64_t key = 0; key < 600; ++key) {
    const BackwardCase<T> c = tricky_backward<T>(key);
    const GradientReferences wanted = refer(c.build());
    const Gradients<__float128> got = evaluate_backward<__float128>(c, exact);
    largest.value = std::max(largest.value, largest_ratio(got.value, wanted.value.outputs[0]));
    largest.location = std::max(largest.location, largest_ratio(got.location, wanted.location.outputs[0]));
    largest.weight = std::max(largest.weight, largest_ratio(got.weight, wanted.weight.outputs[0]));
  }
  return largest;
}

TEST(MsDeformAttnBackwardBound, OracleIsFarMoreExactThanFloat32) {
  const Largest largest = largest_oracle_errors<float>();
  largest.print("oracle, float32");
  EXPECT_LE(std::max({largest.value, largest.location, largest.weight}), 1e-6);
}

TEST(MsDeformAttnBackwardBound, OracleIsFarMoreExactThanFloat64) {
  const Largest largest = largest_oracle_errors<double>();
  largest.print("oracle, float64");
  EXPECT_LE(std::max({largest.value, largest.location, largest.weight}), 1e-2);
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
