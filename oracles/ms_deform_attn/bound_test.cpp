// The false-alarm and sharpness test: correct evaluations of many kinds stay within the bound, and come near
// it.
#include "oracles/ms_deform_attn/flush_to_zero_test.h"
#include "oracles/ms_deform_attn/formulas.h"
#include "oracles/ms_deform_attn/oracle.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr double kSharpness = 0.2;  ///< the largest error of correct code must reach this part of the bound

const std::vector<Order> kOrders{Order::kForward, Order::kReversed, Order::kPairwise, Order::kFma,
                                 Order::kWideSum};

std::vector<Position> positions_of(Coordinates coordinates) {
  const std::vector<Position> fused{Position::kFused, Position::kFusedFma, Position::kWide};
  const std::vector<Position> grid{Position::kGrid, Position::kGridHalf, Position::kGridFma, Position::kWide};
  if (coordinates == Coordinates::kFused) return fused;
  if (coordinates == Coordinates::kGridSample) return grid;
  std::vector<Position> all;
  for (int i = 0; i < kPositions; ++i) all.push_back(static_cast<Position>(i));
  return all;
}

/// |got - value| / bound with the value in two parts; admits anything where the reference does.
template <typename T>
double ratio_of(T got, const OutputReference& wanted, std::size_t i) {
  if (!wanted.admits.empty() && (wanted.admits[i] & kAdmitsAnything) != 0) return 0;
  const long double low = wanted.value_low.empty() ? 0 : wanted.value_low[i];
  const auto error = static_cast<double>(
      std::fabs((static_cast<long double>(got) - static_cast<long double>(wanted.value[i])) - low));
  if (error == 0) return 0;
  return wanted.bound[i] > 0 ? error / wanted.bound[i] : std::numeric_limits<double>::infinity();
}

template <typename T>
std::vector<T> run_formula(const PlainCase<T>& c, const Formula& formula, bool flush_to_zero) {
  const FlushToZero guard(flush_to_zero);
  return evaluate_formula<T>(c, formula);
}

template <typename T>
double largest_ratio(Coordinates coordinates, std::uint64_t cases, bool flush_to_zero = false) {
  Precision precision;
  precision.coordinates = coordinates;
  precision.flush_to_zero = flush_to_zero;
  const std::vector<Position> positions = positions_of(coordinates);
  double largest = 0;
  for (std::uint64_t key = 0; key < cases; ++key) {
    const PlainCase<T> c = tricky_case<T>(key);
    const Reference reference = oracle(kDTypeOf<T>).evaluate(c.build(), precision, {}, 1);
    const OutputReference& wanted = reference.outputs[0];
    for (std::size_t f = 0; f < positions.size() * 3; ++f) {
      const Formula formula{positions[f % positions.size()],
                            static_cast<Interpolation>((key + 5 * f) % kInterpolations),
                            kOrders[(key / 3 + f) % kOrders.size()]};
      const std::vector<T> got = run_formula<T>(c, formula, flush_to_zero);
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double ratio = ratio_of(got[i], wanted, i);
        EXPECT_TRUE(ratio <= 1) << ratio << ": "
                                << "case " << key << " element " << i << " position "
                                << static_cast<int>(formula.position) << " interpolation "
                                << static_cast<int>(formula.interpolation) << " order "
                                << static_cast<int>(formula.order) << " got " << got[i] << " wanted "
                                << wanted.value[i] << " bound " << wanted.bound[i];
        if (!(ratio <= 1)) return ratio;
        largest = std::max(largest, ratio);
      }
    }
  }
  std::printf("largest error / bound: %.3f\n", largest);
  return largest;
}

TEST(MsDeformAttnBound, HoldsForFusedFloat32) {
  EXPECT_GE(largest_ratio<float>(Coordinates::kFused, 3000), kSharpness);
}

TEST(MsDeformAttnBound, HoldsForGridSampleFloat32) {
  EXPECT_GE(largest_ratio<float>(Coordinates::kGridSample, 3000), kSharpness);
}

TEST(MsDeformAttnBound, HoldsForAnyCoordinatesFloat32) {
  EXPECT_GE(largest_ratio<float>(Coordinates::kAny, 3000), kSharpness);
}

TEST(MsDeformAttnBound, HoldsWhereSubnormalsAreFlushed) {
  EXPECT_GE(largest_ratio<float>(Coordinates::kAny, 1500, true), kSharpness);
}

TEST(MsDeformAttnBound, HoldsForFusedFloat64) {
  EXPECT_GE(largest_ratio<double>(Coordinates::kFused, 1500), kSharpness);
}

TEST(MsDeformAttnBound, HoldsForAnyCoordinatesFloat64) {
  EXPECT_GE(largest_ratio<double>(Coordinates::kAny, 1500), kSharpness);
}

/// The oracle against quadruple precision: its own error is a small part of the bound.
template <typename T>
double largest_oracle_error() {
  double largest = 0;
  for (std::uint64_t key = 0; key < 600; ++key) {
    const PlainCase<T> c = tricky_case<T>(key);
    const OutputReference wanted = oracle(kDTypeOf<T>).evaluate(c.build(), {}, {}, 1).outputs[0];
    const auto exact =
        evaluate_formula<__float128>(c, {Position::kFused, Interpolation::kProduct, Order::kForward});
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const __float128 low = wanted.value_low.empty() ? 0 : wanted.value_low[i];
      const __float128 difference = (exact[i] - static_cast<__float128>(wanted.value[i])) - low;
      const auto error = std::fabs(static_cast<double>(difference));
      if (error > 0) largest = std::max(largest, error / wanted.bound[i]);
    }
  }
  std::printf("largest error of the oracle / bound: %.3g\n", largest);
  return largest;
}

TEST(MsDeformAttnBound, OracleIsFarMoreExactThanFloat32) {
  EXPECT_LE(largest_oracle_error<float>(), 1e-6);
}

TEST(MsDeformAttnBound, OracleIsFarMoreExactThanFloat64) {
  EXPECT_LE(largest_oracle_error<double>(), 1e-2);
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
