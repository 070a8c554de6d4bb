#include "engine/confirm.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Case case_number(std::int64_t number) {
  Case c;
  c.block = "fake";
  c.attributes["number"] = number;
  return c;
}

Judgement judged(Verdict verdict) {
  Judgement judgement;
  judgement.comparison.verdict = verdict;
  judgement.signature.rule = name_of(verdict);
  return judgement;
}

/// The case is number 100; the calls before it are 0 .. available-1.
ConfirmActions actions_of(std::function<Verdict(const Calls&)> subject, std::size_t available) {
  ConfirmActions actions;
  actions.judge_fresh = [subject](const Calls& calls) { return judged(subject(calls)); };
  actions.judge_again = [subject](const Case& c) { return judged(subject({c})); };
  actions.shows = [](const Judgement& judgement, const Signature& signature) {
    return judgement.signature == signature;
  };
  actions.available = available;
  actions.earlier_call = [](std::size_t position) {
    return case_number(static_cast<std::int64_t>(position));
  };
  actions.may_go_on = [] { return true; };
  return actions;
}

Confirmation confirmed(const ConfirmActions& actions, Verdict first = Verdict::kOutOfBound) {
  return confirm(case_number(100), judged(first), actions);
}

TEST(Confirm, FailsAlone) {
  int runs = 0;
  const auto fails = [&](const Calls& calls) {
    EXPECT_EQ(calls.size(), 1U);
    ++runs;
    return Verdict::kOutOfBound;
  };
  const Confirmation result = confirmed(actions_of(fails, 10));
  EXPECT_EQ(result.rate, 1);
  EXPECT_TRUE(result.earlier.empty());
  EXPECT_EQ(runs, kConfirmations);
}

TEST(Confirm, AHangIsRunOnlyOnceMore) {
  int runs = 0;
  const auto hangs = [&](const Calls&) {
    ++runs;
    return Verdict::kTimedOut;
  };
  EXPECT_EQ(confirmed(actions_of(hangs, 10), Verdict::kTimedOut).rate, 1);
  EXPECT_EQ(runs, 1);
}

TEST(Confirm, AloneItMayFailInAnotherWay) {
  const Confirmation result = confirmed(actions_of([](const Calls&) { return Verdict::kThrew; }, 10));
  EXPECT_EQ(result.rate, 1);
  EXPECT_EQ(result.judgement.signature.rule, "threw");
}

TEST(Confirm, FindsTheEarlierCallItDependsOn) {
  const auto after_three = [](const Calls& calls) {
    const bool bad =
        std::any_of(calls.begin(), calls.end(), [](const Case& c) { return c.attribute("number") == 3; });
    return bad ? Verdict::kOutOfBound : Verdict::kAgree;
  };
  const Confirmation result = confirmed(actions_of(after_three, 50));
  EXPECT_EQ(result.rate, 1);
  ASSERT_EQ(result.earlier.size(), 1U);
  EXPECT_EQ(result.earlier.front().attribute("number"), 3);
}

TEST(Confirm, NowAndThenIsFlakyWithItsRate) {
  int runs = 0;
  const auto every_second = [&](const Calls& calls) {
    EXPECT_EQ(calls.size(), 1U);
    return ++runs % 2 == 0 ? Verdict::kOutOfBound : Verdict::kAgree;
  };
  const Confirmation result = confirmed(actions_of(every_second, 50));
  EXPECT_EQ(result.rate, 0.5);
  EXPECT_EQ(runs, kFlakyRuns);
  EXPECT_TRUE(result.earlier.empty());
}

TEST(Confirm, WhatCameOnceAfterEarlierCallsCameByChance) {
  int runs = 0, shown = 0;
  const auto rarely = [&](const Calls&) {
    const bool shows = ++runs % 29 == 12;
    shown += shows ? 1 : 0;
    return shows ? Verdict::kOutOfBound : Verdict::kAgree;
  };
  const Confirmation result = confirmed(actions_of(rarely, 50));
  EXPECT_TRUE(result.earlier.empty());
  EXPECT_GT(shown, 1);
  EXPECT_NEAR(result.rate, 1.0 / 29, 0.015);
}

TEST(Confirm, NotRunIsNoRun) {
  int runs = 0;
  const auto ends = [&](const Calls&) { return ++runs < 3 ? Verdict::kOutOfBound : Verdict::kNotRun; };
  const Confirmation result = confirmed(actions_of(ends, 50));
  EXPECT_EQ(result.runs, 2);
  EXPECT_EQ(result.rate, 1);
  EXPECT_EQ(runs, 3);
}

TEST(Confirm, NeverAgainHasRateZeroAndKeepsWhatWasSeen) {
  const Confirmation result = confirmed(actions_of([](const Calls&) { return Verdict::kAgree; }, 5));
  EXPECT_EQ(result.rate, 0);
  EXPECT_EQ(result.runs, kFlakyRuns + kRepeats);
  EXPECT_EQ(result.judgement.signature.rule, "out_of_bound");
}

}  // namespace
}  // namespace deformdiff
