// Canaries among scripted implementations: found, survived, blamed, and never more than their share.
#include "engine/canaries.h"

#include "engine/scripted_session_test.h"
#include "engine/session.h"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Seconds of a session that owe the canaries more than they can take here.
constexpr double kLong = 1e9;

class CanariesTest : public ScriptedSessionTest {
 protected:
  void add(ScriptedSubject& subject, const std::string& name, const std::string& expected,
           std::int64_t enough = 100, const std::string& trigger = {}) {
    CanarySpec canary{subject.spec(name), {}, enough};
    canary.info.name = name;
    canary.info.expected = expected;
    canary.info.trigger = trigger;
    options_.canaries.push_back(std::move(canary));
  }

  static std::vector<Canary> run(Canaries& canaries, int batches) {
    for (int i = 0; i < batches; ++i) canaries.run_if_due(kLong);
    return canaries.all();
  }
};

TEST_F(CanariesTest, AFaultIsGivenTheStreamUntilItIsFound) {
  // Case i begins with 10 + i.
  ScriptedSubject fault("third", wrong_on_thirteen);
  add(fault, "fault", "out_of_bound");
  Canaries canaries(third(), options_);
  const Canary found = run(canaries, 20).front();
  EXPECT_EQ(found.found, 1);
  EXPECT_EQ(found.verdict, "out_of_bound");
  EXPECT_EQ(text_of(found.cases), "0-3");
  EXPECT_EQ(found.judged, 4);
  EXPECT_FALSE(found.survived());
  EXPECT_EQ(canaries.run_if_due(kLong), nullptr);
}

TEST_F(CanariesTest, AFaultThatIsNotFoundSurvivesOnceItHadEnough) {
  ScriptedSubject right("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  add(right, "fault", "out_of_bound", 100);
  Canaries canaries(third(), options_);
  EXPECT_FALSE(run(canaries, 2).front().survived());
  const Canary survivor = run(canaries, 20).front();
  EXPECT_TRUE(survivor.survived());
  EXPECT_GE(survivor.cases.size(), 100U);
  EXPECT_LT(survivor.cases.size(), 100U + kBatchCases) << "it goes on though it has survived";
}

TEST_F(CanariesTest, WhereItsTriggerIsNeverHitNothingIsSaid) {
  class Triggered : public ThirdGenerator {
   public:
    std::vector<TriggerClass> triggers() const override { return {{"never", ""}, {"twelve", ""}}; }
    std::vector<std::string> triggers_hit(const Case& c) const override {
      return contains(c, 12) ? std::vector<std::string>{"twelve"} : std::vector<std::string>();
    }
  };
  const Triggered generator;
  BlockEntry entry = third();
  entry.generator = &generator;
  ScriptedSubject right("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  add(right, "unreached", "out_of_bound", 10, "never");
  add(right, "reached", "out_of_bound", 10, "twelve");
  Canaries canaries(entry, options_);
  const std::vector<Canary> all = run(canaries, 40);
  EXPECT_EQ(all[0].reached, 0);
  EXPECT_FALSE(all[0].survived());
  EXPECT_EQ(all[1].reached, 1);
  EXPECT_TRUE(all[1].survived());
}

TEST_F(CanariesTest, RightCodeIsBlamedAndGoesOn) {
  ScriptedSubject blamed("third", wrong_on_thirteen);
  add(blamed, "control", "agree");
  Canaries canaries(third(), options_);
  const Canary control = run(canaries, 10).front();
  EXPECT_TRUE(control.was_blamed());
  EXPECT_FALSE(control.survived());
  EXPECT_EQ(control.found, 1);
  EXPECT_GT(control.judged, 100);
}

TEST_F(CanariesTest, OneAfterTheOtherHasItsTurn) {
  ScriptedSubject right("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  add(right, "first", "out_of_bound", 100000);
  add(right, "second", "out_of_bound", 100000);
  Canaries canaries(third(), options_);
  const std::vector<Canary> all = run(canaries, 60);
  EXPECT_GT(all[0].cases.size(), 500U);
  EXPECT_GT(all[1].cases.size(), 500U);
}

TEST_F(CanariesTest, NothingIsDueBeforeItIsOwed) {
  ScriptedSubject fault("third", wrong_on_thirteen), hanging("third", wrong_on_thirteen);
  add(hanging, "hanging", "timed_out");
  add(fault, "fault", "out_of_bound");
  Canaries canaries(third(), options_);
  EXPECT_EQ(canaries.run_if_due(0), nullptr);
  const Canary* const first = canaries.run_if_due(1);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->name, "fault") << "what hangs takes longer than all may";
  // The share is now as long as a hanging case, and the other has had some of it.
  for (int batch = 0; batch < 8; ++batch) canaries.run_if_due(kCaseTimeout / kCanaryShare);
  EXPECT_EQ(canaries.all().front().found, 1);
  EXPECT_EQ(hanging.calls.size(), 4U) << "it hung more than once";
}

TEST_F(CanariesTest, OfAShardItsOwnCases) {
  options_.shard = {1, 2};
  ScriptedSubject right("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  add(right, "fault", "out_of_bound", 100);
  Canaries canaries(third(), options_);
  EXPECT_EQ(text_of(run(canaries, 40).front().cases).substr(0, 14), "64-127,192-255");
}

TEST_F(CanariesTest, GoOnFromAnEarlierSitting) {
  ScriptedSubject fault("third", [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number == 110; });
  });
  add(fault, "fault", "out_of_bound");
  Canaries before(third(), options_);
  run(before, 3);
  Canaries after(third(), options_);
  after.take_up(before.all());
  EXPECT_EQ(text_of(run(after, 20).front().cases), "0-100");
  const auto is_first = [](const GivenCall& call) { return contains(call.problem, 10); };
  EXPECT_EQ(std::ranges::count_if(fault.calls, is_first), 1) << "what was done before is done again";
}

TEST_F(CanariesTest, OfASessionAreNoFindings) {
  ScriptedSubject right("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  ScriptedSubject fault("third", [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number == 10; });  // as case 0 has
  });
  add(fault, "fault", "out_of_bound");
  const SessionReport report = fuzz(third(), {right.spec("right")}, options_, listener_);
  ASSERT_EQ(report.canaries.size(), 1U);
  EXPECT_EQ(report.canaries.front().found, 1);
  EXPECT_TRUE(report.findings.empty());
  EXPECT_TRUE(listener_.heard.empty());
  EXPECT_TRUE(files().empty());
  ASSERT_EQ(report.subjects.size(), 1U);
  EXPECT_EQ(report.subjects.front().cases, options_.cases);
}

TEST(Canary, OfTwoRunsAddsUpAndCountsNothingTwice) {
  Canary one, other;
  one.expected = other.expected = "out_of_bound";
  one.enough = other.enough = 100;
  one.cases.add(0, 64);
  one.judged = one.reached = 60;
  other.cases.add(64, 128);
  other.judged = other.reached = 50;
  EXPECT_FALSE(one.survived());
  add(one, other);
  add(one, other);
  EXPECT_EQ(one.judged, 110);
  EXPECT_EQ(one.cases.size(), 128U);
  EXPECT_TRUE(one.survived());
}

TEST(Canary, WhatMakesNumbersWrongMayShowFirstInAnotherWay) {
  Canary fault;
  fault.found = 1;
  for (const char* expected : {"out_of_bound", "nonfinite_mismatch"}) {
    fault.expected = expected;
    for (const char* due : {"out_of_bound", "nonfinite_mismatch", "wrong_structure"}) {
      fault.verdict = due;
      EXPECT_TRUE(fault.got_what_is_due()) << expected << ", " << due;
    }
    fault.verdict = "crashed";
    EXPECT_FALSE(fault.got_what_is_due()) << expected;
  }
  fault.expected = "wrong_structure";
  fault.verdict = "out_of_bound";
  EXPECT_FALSE(fault.got_what_is_due());
}

}  // namespace
}  // namespace deformdiff
