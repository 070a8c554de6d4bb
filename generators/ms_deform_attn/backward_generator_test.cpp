#include "blocks/ms_deform_attn.h"
#include "core/conditions.h"
#include "core/error.h"
#include "generators/common/case_hash_test.h"
#include "generators/common/layout_count_test.h"
#include "generators/common/sizes_of_case_test.h"
#include "generators/ms_deform_attn/backward_turns.h"
#include "generators/ms_deform_attn/exact.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/gradients.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

Case backward_case(std::uint64_t index, const std::vector<std::string>& tiers = {}, std::uint64_t seed = 1) {
  return backward_generator().generate(seed, tiers, index);
}

std::uint64_t hash_of_first(const std::vector<std::string>& tiers, std::uint64_t count) {
  std::uint64_t hash = 0;
  for (std::uint64_t i = 0; i < count; ++i) hash = hash * 31 + hash_of(backward_case(i, tiers));
  return hash;
}

// These change only when what is generated changes: then every seed in old reports means something else.
TEST(BackwardGenerator, GoldenHashes) {
  EXPECT_EQ(hash_of_first({}, 200), 0x56460cadecc1846bULL);
  EXPECT_EQ(hash_of_first({"exact"}, 50), 0x93a95c9921867fc5ULL);
  EXPECT_EQ(hash_of_first({"nonfinite"}, 50), 0xcf0ad98353758823ULL);
}

TEST(BackwardGenerator, CasesDependOnNothingBefore) {
  const Case late = backward_case(777, {}, 9);
  backward_case(3, {}, 9);
  EXPECT_EQ(backward_case(777, {}, 9), late);
  EXPECT_NE(backward_case(777, {}, 10), late);
  EXPECT_NE(backward_case(778, {}, 9), late);
}

TEST(BackwardGenerator, HasAStreamOfItsOwn) {
  const Case forward = generator().generate(1, {"typical"}, 0), backward = backward_case(0, {"typical"});
  EXPECT_EQ(backward.block, "ms_deform_attn_backward");
  EXPECT_EQ(backward.inputs.back().name, "grad_output");
  EXPECT_NE(backward.input("value"), forward.input("value"));
}

TEST(BackwardGenerator, EveryCaseIsValidAndEveryTriggerClassIsReached) {
  constexpr std::uint64_t kCases = 5000;
  std::map<std::string, int> hits, tiers;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = backward_case(i);
    ASSERT_NO_THROW(backward_block().validate(c)) << "case " << i;
    ++tiers[c.provenance.tier];
    for (const std::string& name : backward_generator().triggers_hit(c)) ++hits[name];
  }
  for (const TriggerClass& trigger : backward_generator().triggers()) {
    if (!trigger.tier.empty()) continue;
    EXPECT_GE(hits[trigger.name], 2) << trigger.name;
    RecordProperty(trigger.name, hits[trigger.name]);
  }
  // One case in 24 is adversarial by its turn.
  for (const Tier& tier : backward_generator().tiers()) {
    const double turns = tier.name == "adversarial" ? 100.0 / 24 : 0;
    const double share = turns + tier.share * (23.0 / 24);
    EXPECT_NEAR(tiers[tier.name], share * kCases / 100, 150) << tier.name;
  }
}

TEST(BackwardGenerator, WhatGradientsProvokeIsReachedInARunOfUsualLengthAtEverySeed) {
  constexpr std::uint64_t kCases = 1000;
  for (const std::uint64_t seed : {0, 1, 2, 3, 99}) {
    std::map<std::string, int> hits;
    for (std::uint64_t i = 0; i < kCases; ++i) {
      for (const std::string& name : backward_generator().triggers_hit(backward_case(i, {}, seed)))
        ++hits[name];
    }
    const std::vector<TriggerClass> all = backward_generator().triggers();
    const auto own = std::ranges::find(all, "grad_not_contiguous", &TriggerClass::name);
    ASSERT_EQ(all.end() - own, 20);
    for (auto trigger = own; trigger != all.end(); ++trigger)
      EXPECT_GE(hits[trigger->name], 2) << trigger->name << " at seed " << seed;
  }
}

TEST(BackwardGenerator, EveryNumberOfChannelsHasItsTurn) {
  std::set<std::int64_t> channels;
  for (std::uint64_t number = 0; number < 27; ++number) {
    Draw draw(number);
    const Plan plan = backward_turn(number, draw);
    EXPECT_EQ(plan.tier, "adversarial");
    if (number % 9 < kReductions) {
      EXPECT_EQ(static_cast<std::uint64_t>(reduction_of(plan.sketch.dims.D)), number % 9);
      channels.insert(plan.sketch.dims.D);
    }
  }
  EXPECT_EQ(channels, (std::set<std::int64_t>{1, 3, 4, 30, 32, 33, 64, 71, 96, 511, 512, 513, 1024, 1025}));
}

TEST(BackwardGenerator, TurnsComeAtTheirPlacesOfTheStream) {
  for (std::uint64_t turn = 0; turn < 27; ++turn) {
    const Dims d = parse(backward_case(4 + 24 * turn)).dims;
    if (turn % 9 < kReductions) EXPECT_EQ(static_cast<std::uint64_t>(reduction_of(d.D)), turn % 9);
    if (turn % 9 == 8) EXPECT_NE(backward_case(4 + 24 * turn).attribute("im2col_step"), d.N);
  }
}

TEST(BackwardGenerator, TurnsAreTakenOnlyWhereTheTierIsDrawn) {
  for (std::uint64_t turn = 0; turn < 9; ++turn)
    EXPECT_EQ(backward_case(4 + 24 * turn, {"typical"}).provenance.tier, "typical");
}

TEST(BackwardGenerator, ThousandsOfPointsReachOnePixelInTheirTurn) {
  for (std::uint64_t round = 0; round < 3; ++round) {
    const Case c = backward_case(4 + 24 * (9 * round + kReductions));
    const std::vector<std::string> hit = backward_generator().triggers_hit(c);
    EXPECT_NE(std::ranges::find(hit, "pixel_of_1024_points"), hit.end()) << "round " << round;
  }
}

TEST(BackwardGenerator, EveryInputHasEveryStorageLayoutIn300Cases) {
  for (const auto& [seed, tiers, first] : {std::tuple(1, std::vector<std::string>{}, 0),
                                           std::tuple(3, std::vector<std::string>{"typical"}, 200)}) {
    auto counts = count_features(backward_generator(), static_cast<std::uint64_t>(seed), tiers,
                                 static_cast<std::uint64_t>(first), 300);
    for (const NamedTensor& input : backward_case(0).inputs) {
      const bool indices = input.tensor.dtype() == DType::kInt64;
      for (const char* feature : {"offset", "gap"})
        EXPECT_GE((counts[{input.name, feature}].seen), 1) << input.name << " " << feature;
      if (input.name != "level_start_index")
        EXPECT_GE((counts[{input.name, "transposed"}].seen), 1) << input.name;
      for (const char* feature : {"expanded", "overlapping"})
        EXPECT_EQ((counts[{input.name, feature}].seen > 0), !indices) << input.name << " " << feature;
    }
    EXPECT_GE((counts[{"grad_output", "expanded"}].seen), 15) << "as autograd passes it";
  }
}

TEST(BackwardGenerator, OfALayoutsTurnOneInputLiesOtherwiseThanContiguous) {
  for (std::uint64_t index = 1; index < 800; index += 8) {
    const Case c = backward_case(index);
    const auto contiguous = [](const NamedTensor& input) { return input.tensor.is_contiguous(); };
    EXPECT_GE(std::ranges::count_if(c.inputs, contiguous), 5) << "case " << index;
  }
}

TEST(BackwardGenerator, ASiblingMayDifferInItsGradientAlone) {
  std::set<std::string> others;
  for (std::uint64_t index = 11; index < 1200; index += 12) {
    const Case before = backward_case(index - 1), c = backward_case(index);
    std::vector<std::string> different;
    for (const NamedTensor& input : c.inputs) {
      if (input.tensor.contiguous() != before.input(input.name).contiguous()) different.push_back(input.name);
    }
    if (different.size() == 1) others.insert(different[0]);
  }
  EXPECT_EQ(others, (std::set<std::string>{"value", "sampling_loc", "attn_weight", "grad_output"}));
}

TEST(BackwardGenerator, OnlyCasesThatMeetTheConditionsAreDrawn) {
  for (const char* only : {"M==8,D==32,L==3,P==4", "N>=5,Q!=1", "S==21760,L==4", "D==1025", "Q==4096,D==2"}) {
    std::map<std::string, int> tiers;
    for (std::uint64_t i = 0; i < 60; ++i) {
      const Case c = backward_generator().generate({1, {}, only}, i);
      ASSERT_NO_THROW(backward_block().validate(c)) << only << " case " << i;
      ASSERT_EQ(first_violated(only, sizes_of_case(backward_block(), c)), "") << only << " case " << i;
      ++tiers[c.provenance.tier];
    }
    EXPECT_GE(tiers.size(), 4U) << only;
  }
  EXPECT_THROW(backward_generator().generate({1, {}, "X==1"}, 0), InputError);
}

TEST(BackwardGenerator, AnOutlineHasTheSizesOfItsCase) {
  EXPECT_FALSE(backward_generator().outline({1, {}, ""}, 0));
  const StreamChoice choice{1, {}, "Q>=5,im2col_step<=3"};
  for (std::uint64_t i = 0; i < 60; ++i) {
    const Case c = backward_generator().generate(choice, i);
    const Case outline = backward_generator().outline(choice, i).value();
    EXPECT_EQ(outline.provenance, c.provenance);
    EXPECT_EQ(dense_bytes(outline), dense_bytes(c)) << "case " << i;
    EXPECT_EQ(backward_block().working_memory(outline, {}), backward_block().working_memory(c, {}));
    EXPECT_EQ(sizes_of_case(backward_block(), outline), sizes_of_case(backward_block(), c));
  }
}

TEST(BackwardGenerator, HugeCasesAreSmall) {
  const Case c = backward_case(0, {"huge"});
  EXPECT_GT(products(parse(c).dims), std::int64_t{1} << 31);
  EXPECT_LT(storage_bytes(c), std::int64_t{1} << 27);
}

/// Whether x is a multiple of 2^-fraction.
bool has_fraction(double x, int fraction) {
  const double scaled = std::ldexp(x, fraction);
  return scaled == std::floor(scaled);
}

TEST(ExactBackward, ElementsAreWithinTheBudget) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Case c = backward_case(i, {"exact"}, 2);
    const auto [problem, gradient] = parse_backward(c);
    const Dims& d = problem.dims;
    const ExactBudget budget = exact_backward_budget({problem.dtype, d, problem.levels});
    ASSERT_GE(std::min({budget.magnitude, budget.gradient}), 1);
    ASSERT_GE(std::min(budget.fraction, budget.weight), 0);
    const auto bits = [](std::int64_t count) { return static_cast<int>(std::ceil(std::log2(count))); };
    const int shared = 2 * budget.fraction + budget.weight + 1 + budget.gradient;
    const int significand = problem.dtype == DType::kFloat64 ? 53 : 24;
    EXPECT_LE(shared + budget.magnitude + 1 + bits(d.D), significand) << "case " << i;
    EXPECT_LE(shared + 1 + bits(d.Q * d.L * d.P), significand) << "case " << i;
    for (std::int64_t k = 0; k < std::min<std::int64_t>(gradient.elements(), 500); ++k) {
      const double g = gradient.element(k);
      ASSERT_TRUE(has_fraction(g, 0) && std::abs(g) < std::ldexp(1.0, budget.gradient));
    }
    for (std::int64_t k = 0; k < std::min<std::int64_t>(problem.value.elements(), 500); ++k) {
      const double v = problem.value.element(k);
      ASSERT_TRUE(has_fraction(v, 0) && std::abs(v) < std::ldexp(1.0, budget.magnitude));
    }
    for (std::int64_t k = 0; k < std::min<std::int64_t>(problem.attn_weight.elements(), 500); ++k) {
      const double w = problem.attn_weight.element(k);
      ASSERT_TRUE(has_fraction(w, budget.weight) && std::abs(w) < 2);
      const Level& level = problem.levels[static_cast<std::size_t>(k / d.P % d.L)];
      const double pixel = problem.sampling_loc.element(2 * k) * static_cast<double>(level.width) - 0.5;
      ASSERT_TRUE(has_fraction(pixel, budget.fraction));
    }
  }
}

TEST(Gradients, AreWhatTheirStylesSay) {
  const Dims d{2, 0, 3, 5, 4, 0, 0};
  const auto made = [&](GradientStyle style) {
    return make_gradient(d, DType::kFloat64, style, CounterRandom(7));
  };
  for (const GradientStyle style : {GradientStyle::kOnes, GradientStyle::kMean}) {
    const Tensor constant = made(style);
    EXPECT_EQ(constant.shape(), (Shape{2, 4, 15}));
    EXPECT_EQ(constant.storage().size(), sizeof(double));
    EXPECT_EQ(constant.element(119), style == GradientStyle::kOnes ? 1 : 1.0 / 120);
  }
  const Tensor row = made(GradientStyle::kRow);
  for (std::int64_t i = 15; i < 120; ++i) EXPECT_EQ(row.element(i), row.element(i - 15));
  EXPECT_NE(row.element(0), row.element(1));
  std::map<GradientStyle, int> zeros, ones;
  for (const GradientStyle style :
       {GradientStyle::kOneHot, GradientStyle::kZeros, GradientStyle::kSparse, GradientStyle::kTags}) {
    for (std::int64_t i = 0; i < 120; ++i) {
      zeros[style] += made(style).element(i) == 0 ? 1 : 0;
      ones[style] += made(style).element(i) == 1 ? 1 : 0;
    }
  }
  EXPECT_EQ(zeros[GradientStyle::kOneHot], 119);
  EXPECT_EQ(ones[GradientStyle::kOneHot], 1);
  EXPECT_EQ(zeros[GradientStyle::kZeros], 120);
  EXPECT_EQ(zeros[GradientStyle::kSparse] % 15, 0);
  EXPECT_GT(zeros[GradientStyle::kSparse], 0);
  EXPECT_EQ(zeros[GradientStyle::kTags], 0);
}

TEST(Gradients, ValuesNearOverflowGetSmallOnes) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Draw draw(seed);
    EXPECT_EQ(draw_gradient_style(draw, 1e37, DType::kFloat32), GradientStyle::kTiny);
    EXPECT_EQ(draw_gradient_style(draw, 1e300, DType::kFloat64), GradientStyle::kTiny);
  }
}

TEST(Gradients, OfEmptyOutputsAreEmpty) {
  for (int style = 0; style <= static_cast<int>(GradientStyle::kLarge); ++style) {
    const Tensor empty = make_gradient({2, 1, 3, 5, 0, 1, 1}, DType::kFloat32,
                                       static_cast<GradientStyle>(style), CounterRandom(1));
    EXPECT_EQ(empty.shape(), (Shape{2, 0, 15}));
    EXPECT_TRUE(empty.is_contiguous());
  }
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
