#include "engine/ablate.h"

#include "engine/third_block_test.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Without one of the numbers that a case holds; each number alone.
Ablations number_ablations() {
  const auto without_large = [](const Case& c) -> CaseStream {
    std::vector<float> x = numbers_of(c);
    for (float& number : x) number = std::min(number, 100.F);
    return [next = std::optional(third_case(x))]() mutable { return std::exchange(next, std::nullopt); };
  };
  const auto each_alone = [](const Case& c) -> CaseStream {
    return [x = numbers_of(c), at = std::size_t{0}]() mutable -> std::optional<Case> {
      if (at == x.size()) return std::nullopt;
      return third_case({x[at++]});
    };
  };
  const auto no_way = [](const Case&) -> CaseStream { return [] { return std::optional<Case>(); }; };
  return {{"small numbers", without_large}, {"one number", each_alone}, {"no way", no_way}};
}

using Effects = std::vector<Effect>;
constexpr Effect kUnknown = Effect::kUnknown;
constexpr Effect kFails = Effect::kFails;
constexpr Effect kVanishes = Effect::kVanishes;

class AblatorTest : public testing::Test {
 protected:
  AblatedFailure ablate(const std::vector<float>& smallest, const std::vector<std::vector<float>>& originals,
                        const std::function<bool(const Case&)>& fails, Deadline end = {}) {
    FailingCases failing{third_case(smallest), {}};
    for (const auto& x : originals) failing.originals.push_back(third_case(x));
    Ablator ablator(
        ablations_,
        [&](const Case& c) {
          ++runs_;
          if (numbers_of(c) == std::vector<float>(numbers_of(c).size(), 0)) return Verdict::kVacuous;
          return fails(c) ? Verdict::kOutOfBound : Verdict::kAgree;
        },
        end);
    return ablator.ablate(failing);
  }

  Ablations ablations_ = number_ablations();
  int runs_ = 0;
};

bool has_large(const Case& c) {
  return std::ranges::any_of(numbers_of(c), [](float x) { return x > 100; });
}

TEST_F(AblatorTest, WhatAFailureNeedsMakesItVanishFromEveryCase) {
  const AblatedFailure of_large = ablate({1000}, {{2, 3000}, {4, 5000, 1}}, has_large);
  EXPECT_EQ(of_large.effects, (Effects{kVanishes, kFails, kUnknown}));
  EXPECT_EQ(of_large.cases[0], 2);
  const AblatedFailure of_several =
      ablate({1, 2}, {{2, 3000, 3}}, [](const Case& c) { return numbers_of(c).size() > 1; });
  EXPECT_EQ(of_several.effects, (Effects{kFails, kVanishes, kUnknown}));
}

TEST_F(AblatorTest, WhereOneWayStillFailsItIsNotNeeded) {
  const AblatedFailure failure = ablate({2, 13}, {}, [](const Case& c) { return contains(c, 13); });
  EXPECT_EQ(failure.effects[1], kFails);
}

TEST_F(AblatorTest, AnOriginalThatFailsInSpiteOfItSaysNothing) {
  const auto fails = [](const Case& c) { return has_large(c) || contains(c, 13); };
  const AblatedFailure failure = ablate({1000}, {{2, 3000}, {13, 5000}}, fails);
  EXPECT_EQ(failure.effects[0], kUnknown);
}

TEST_F(AblatorTest, WhatShowsNothingIsNoVanishing) {
  const AblatedFailure failure = ablate({-1, 0}, {}, [](const Case& c) { return contains(c, -1); });
  EXPECT_EQ(failure.effects[1], kFails);
  const AblatedFailure vacuous =
      ablate({0, 0, 5}, {}, [](const Case& c) { return numbers_of(c).size() == 3; });
  EXPECT_EQ(vacuous.effects[1], kUnknown) << "zeros alone are vacuous";
}

TEST_F(AblatorTest, ALongListOfWaysIsLeftBeforeItsEnd) {
  const auto fails = [](const Case& c) { return numbers_of(c).size() > 1; };
  const std::vector<float> many(kMostWays + 1, 2), few(kMostWays, 2);
  EXPECT_EQ(ablate(few, {}, fails).effects[1], kVanishes);
  EXPECT_EQ(ablate(many, {}, fails).effects[1], kUnknown);
}

TEST_F(AblatorTest, WhatFailsOnThePlainestCaseSaysSo) {
  EXPECT_EQ(ablate({1}, {{2, 3000}}, [](const Case&) { return true; }).plainest, kFails);
  // A large number or another one beside it: neither alone is needed.
  const AblatedFailure either = ablate(
      {1000, 2000}, {{2, 3000}}, [](const Case& c) { return has_large(c) || numbers_of(c).size() > 1; });
  EXPECT_EQ(either.effects, (Effects{kFails, kFails, kUnknown}));
  EXPECT_EQ(either.plainest, kVanishes);
}

TEST_F(AblatorTest, WhatVanishesWithSeveralThingsTogetherNeedsEachOfThem) {
  const auto fails = [](const Case& c) { return has_large(c) || numbers_of(c).size() > 1; };
  const AblatedFailure either = ablate({1000, 2000}, {{2, 3000}, {4000, 5}}, fails);
  EXPECT_EQ(either.together.things, (std::vector<std::size_t>{0, 1})) << "no way is not one of them";
  EXPECT_EQ(either.together.cases, 2);
  EXPECT_TRUE(ablate({1000}, {{2, 3000}}, has_large).together.things.empty()) << "one thing alone is enough";
  EXPECT_TRUE(ablate({1}, {{2, 3000}}, [](const Case&) { return true; }).together.things.empty());
}

TEST_F(AblatorTest, WhatLeavesLittleIsTriedAlone) {
  ablations_[1].leaves_little = true;
  const auto fails = [](const Case& c) { return has_large(c) || numbers_of(c).size() > 1; };
  const AblatedFailure failure = ablate({1000, 2000}, {{2, 3000}, {4000, 5}}, fails);
  EXPECT_EQ(failure.plainest, kFails) << "with it no number would be left to fail on";
  EXPECT_TRUE(failure.together.things.empty());
}

TEST_F(AblatorTest, TheSetThatMakesMostVanishIsShared) {
  Together smaller{{1}, {third_case({1, 2})}, 1}, larger{{0, 1}, {third_case({3000, 1})}, 1}, other = smaller;
  other.originals = {third_case({13, 2})};
  Together neither_larger_nor_smaller{{2}, {third_case({3000, 1})}, 1};
  Ablator ablator(ablations_,
                  [](const Case& c) {
                    return has_large(c) || numbers_of(c).size() > 1 || contains(c, 13) ? Verdict::kOutOfBound
                                                                                       : Verdict::kAgree;
                  },
                  {});
  ablator.share_sets({&smaller, &larger, &other, &neither_larger_nor_smaller});
  EXPECT_EQ(smaller.things, larger.things);
  EXPECT_EQ(larger.things, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(other.things, (std::vector<std::size_t>{1})) << "it fails without the larger one's things";
  EXPECT_EQ(neither_larger_nor_smaller.things, larger.things);
}

TEST_F(AblatorTest, ThePlainestIsOfAllOriginalsAndOneOfThemIsEnough) {
  // The last original alone fails when all is taken away.
  const auto fails = [](const Case& c) { return contains(c, 7) || has_large(c) || numbers_of(c).size() > 1; };
  std::vector<std::vector<float>> originals(kAblatedOriginals + 1, {1, 2000});
  EXPECT_EQ(ablate({1000, 2000}, originals, fails).plainest, kVanishes);
  originals.back() = {7, 2};
  EXPECT_EQ(ablate({1000, 2000}, originals, fails).plainest, kFails);
}

TEST_F(AblatorTest, WhatIsLastingStaysAwayWhereItIsNotNeeded) {
  // Several numbers fail, and so does a large one, whatever is beside it.
  const auto fails = [](const Case& c) { return numbers_of(c).size() > 1 || has_large(c); };
  const std::vector<float> smallest{3000, 2};
  const std::vector<std::vector<float>> originals{{4000, 2, 3}};
  EXPECT_EQ(ablate(smallest, originals, fails).effects, (Effects{kFails, kFails, kUnknown}));
  ablations_[0].is_lasting = true;
  EXPECT_EQ(ablate(smallest, originals, fails).effects, (Effects{kFails, kVanishes, kUnknown}));
}

TEST_F(AblatorTest, WhatDoesNotFailAgainIsNotLookedAt) {
  int calls = 0;
  EXPECT_EQ(ablate({1000}, {}, [&](const Case&) { return calls++ == 0; }).effects, Effects(3, kUnknown));
  runs_ = 0;
  // From the fourth call on nothing fails: all that vanished may have vanished by that.
  calls = 0;
  EXPECT_EQ(ablate({1000}, {}, [&](const Case&) { return calls++ < 2; }).effects, Effects(3, kUnknown));
}

TEST_F(AblatorTest, RunsNoMoreThanItMayAndSaysNothingThen) {
  std::vector<std::vector<float>> originals(kMostAblationRuns, {1, 2, 3, 4, 5, 6, 3000});
  const AblatedFailure failure =
      ablate({1, 2}, originals, [](const Case& c) { return numbers_of(c).size() > 1; });
  EXPECT_EQ(runs_, kMostAblationRuns);
  EXPECT_EQ(failure.effects, Effects(3, kUnknown));
  runs_ = 0;
  EXPECT_EQ(ablate({1000}, {}, has_large, Deadline().within(0)).effects, Effects(3, kUnknown));
  EXPECT_EQ(runs_, 0);
}

TEST(AblationsOfAnyBlock, TakeAwayLayoutKindsOfNumbersAndTheDtype) {
  std::map<std::string, Ablation> by_words;
  for (const Ablation& each : ablations_of(toy())) by_words[each.words] = each;
  ASSERT_EQ(by_words.size(), 4U);

  Case c = third_case({1, kInfinity});
  EXPECT_EQ(numbers_of(by_words["ordinary numbers"].without(c)().value()), (std::vector{1.F, 1.F}));
  EXPECT_EQ(by_words["float64"].without(c)()->input("x").dtype(), DType::kFloat64);
  EXPECT_EQ(by_words["float32"].without(c)(), c);
  EXPECT_EQ(by_words["contiguous tensors"].without(c)(), c);
  const Tensor three = third_case({3}).input("x");
  const auto storage = std::make_shared<Tensor::Bytes>(three.storage().begin(), three.storage().end());
  c.inputs[0].tensor = Tensor(DType::kFloat32, {2}, {0}, 0, storage);
  const Case dense = by_words["contiguous tensors"].without(c)().value();
  EXPECT_TRUE(dense.input("x").is_contiguous());
  EXPECT_EQ(numbers_of(dense), (std::vector{3.F, 3.F}));
  EXPECT_EQ(by_words["float64"].without(c)(), std::nullopt) << "the layout would go too";
}

TEST(AblationsOfAnyBlock, GiveNoCaseThatTheBlockRefuses) {
  for (const Ablation& each : ablations_of(third())) {
    EXPECT_EQ(each.without(third_case({1, 2}))().has_value(), each.words != "float64") << each.words;
  }
}

TEST(AblationsOfAnyBlock, TakeTheBlocksOwnBetweenThem) {
  BlockEntry entry = third();
  entry.ablations = number_ablations();
  const Ablations all = ablations_of(entry);
  ASSERT_EQ(all.size(), 7U);
  EXPECT_EQ(all[0].words, "ordinary numbers");
  EXPECT_TRUE(all[0].is_lasting);
  EXPECT_EQ(all[1].words, "small numbers");
}

}  // namespace
}  // namespace deformdiff
