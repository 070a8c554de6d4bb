// Every stable formula for a pixel coordinate stays within the shift that the oracle admits.
#include "oracles/ms_deform_attn/sampling.h"

#include "oracles/ms_deform_attn/formulas.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

std::int64_t draw_side(Dice& dice) {
  switch (dice.below(3)) {
    case 0:
      return dice.between(1, 9);
    case 1:
      return std::int64_t{1} << dice.between(0, 12);
    default:
      return dice.between(1, 3000);
  }
}

/// A location of few bits, where formulas stop rounding one after the other, or a tricky one.
template <typename T>
T draw_location(Dice& dice, std::int64_t side) {
  if (dice.below(2) == 0) return tricky_location<T>(dice, side);
  const int bits = static_cast<int>(dice.between(1, std::numeric_limits<T>::digits));
  const std::int64_t steps = std::int64_t{1} << bits;
  return static_cast<T>(std::ldexp(static_cast<double>(dice.between(-steps / 4, 5 * (steps / 4))), -bits));
}

/// |computed - exact position| / shift; infinite where the shift is 0 and the formula rounds.
template <typename T, typename Sample>
double ratio_of(const AxisCell<T>& computed, __float128 exact, const Sample& sample) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!computed.valid) return sample.surely_inside ? kInfinity : 0;
  const __float128 difference = (computed.cell - exact) + static_cast<__float128>(computed.fraction);
  const auto error = std::fabs(static_cast<double>(difference));
  if (error == 0) return 0;
  return sample.shift > 0 ? error / sample.shift : kInfinity;
}

/// Largest error / shift of each formula.
template <typename T>
std::array<double, kPositions> largest_ratios(std::uint64_t draws) {
  std::array<double, kPositions> largest{};
  const Rounding rounding = rounding_of(kDTypeOf<T>, {});
  for (std::uint64_t key = 0; key < draws; ++key) {
    Dice dice(key);
    const std::int64_t side = draw_side(dice);
    const T location = draw_location<T>(dice, side);
    const auto sample = locate<Wide<T>>(location, side, Coordinates::kAny, rounding);
    if (!sample.in_reach()) continue;
    const __float128 exact = static_cast<__float128>(location) * side - static_cast<__float128>(0.5);
    for (int position = 0; position < kPositions; ++position) {
      double& ratio = largest[static_cast<std::size_t>(position)];
      ratio = std::max(ratio,
                       ratio_of(axis_cell(static_cast<Position>(position), location, side), exact, sample));
    }
  }
  return largest;
}

template <typename T>
void expect_within_shift() {
  const std::array<double, kPositions> ratios = largest_ratios<T>(200000);
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    std::printf("position %zu: largest error / shift: %.3f\n", i, ratios[i]);
    EXPECT_LE(ratios[i], 1) << "position " << i;
  }
  EXPECT_GE(*std::max_element(ratios.begin(), ratios.end()), 0.7);
}

TEST(MsDeformAttnSampling, EveryFormulaStaysWithinTheShiftFloat32) {
  expect_within_shift<float>();
}

TEST(MsDeformAttnSampling, EveryFormulaStaysWithinTheShiftFloat64) {
  expect_within_shift<double>();
}

/// Most locations of full precision on maps of powers of two: nothing rounds, so nothing is admitted.
TEST(MsDeformAttnSampling, MapsOfPowersOfTwoHaveNoShiftWhereNoFormulaRounds) {
  const Rounding rounding = rounding_of(DType::kFloat32, {});
  int none = 0;
  for (std::uint64_t key = 0; key < 1000; ++key) {
    Dice dice(key);
    const auto location = static_cast<float>(dice.uniform(0, 1));
    const std::int64_t side = std::int64_t{1} << dice.between(0, 8);
    none += locate<double>(location, side, Coordinates::kAny, rounding).shift == 0 ? 1 : 0;
  }
  std::printf("no shift: %d of 1000\n", none);
  EXPECT_GE(none, 600);
}

/// (loc W + 1/2) - 1 rounds here, although loc W, loc W - 1/2 and 2 loc - 1 are all numbers of the dtype.
TEST(MsDeformAttnSampling, AHalfThatIsAddedMayRound) {
  const Rounding rounding = rounding_of(DType::kFloat32, {});
  constexpr float location = 0x1.000002p-2F;
  const float position = (location * 2 + 0.5F) - 1;
  ASSERT_NE(static_cast<double>(position), static_cast<double>(location) * 2 - 0.5);
  const double shift = locate<double>(location, 2, Coordinates::kAny, rounding).shift;
  EXPECT_GE(shift, std::fabs(static_cast<double>(position) - (static_cast<double>(location) * 2 - 0.5)));
  EXPECT_EQ(locate<double>(location, 2, Coordinates::kFused, rounding).shift, 0);
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
