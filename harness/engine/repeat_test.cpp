#include "engine/repeat.h"

#include <cmath>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Judgement judged(Verdict verdict) {
  Judgement judgement;
  judgement.comparison.verdict = verdict;
  return judgement;
}

bool fails(const Judgement& judgement) {
  return is_finding(judgement.comparison.verdict);
}

TEST(Repeat, RunsEnoughForTheRate) {
  EXPECT_EQ(runs_for(1), 1);
  for (const double rate : {0.9, 0.5, 0.1, 0.03}) {
    const int runs = runs_for(rate);
    EXPECT_LE(std::pow(1 - rate, runs), 0.01) << rate;
    EXPECT_GT(std::pow(1 - rate, runs - 1), 0.01) << rate;
  }
  EXPECT_EQ(runs_for(0), kFlakyRuns + kRepeats);
  EXPECT_EQ(runs_for(1e-9), kFlakyRuns + kRepeats);
}

TEST(Repeat, InFreshWorkersFirstAndThenInOne) {
  int fresh = 0, again = 0;
  const auto judge_fresh = [&] { return ++fresh, judged(Verdict::kAgree); };
  const auto judge_again = [&] { return judged(++again == 5 ? Verdict::kThrew : Verdict::kAgree); };
  EXPECT_TRUE(fails(judge_until(100, fails, judge_fresh, judge_again)));
  EXPECT_EQ(fresh, kFlakyRuns);
  EXPECT_EQ(again, 5);
  EXPECT_FALSE(fails(judge_until(3, fails, judge_fresh, judge_again)));
  EXPECT_EQ(fresh, kFlakyRuns + 3);
}

TEST(Repeat, EndsWithTheRun) {
  int runs = 0;
  const auto cut_off = [&] { return ++runs, judged(Verdict::kNotRun); };
  judge_until(100, fails, cut_off, cut_off);
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace deformdiff
