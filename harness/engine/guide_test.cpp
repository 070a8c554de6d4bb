// Which cases are chosen beside the stream, and that the stream is what it is without them.
#include "engine/guide.h"

#include "engine/scripted_session_test.h"
#include "engine/session.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Every case hits "all"; one in 16 "rare" as well.
class TriggeredGenerator : public ThirdGenerator {
 public:
  std::vector<TriggerClass> triggers() const override { return {{"all", ""}, {"rare", ""}}; }
  std::vector<std::string> triggers_hit(const Case& c) const override {
    if (is_rare(c)) return {"all", "rare"};
    return {"all"};
  }
  static bool is_rare(const Case& c) { return std::fmod(numbers_of(c).front(), 16.0F) == 0; }
};

class GuideTest : public ScriptedSessionTest {
 protected:
  GuideTest() {
    entry_.generator = &generator_;
    entry_.mutate = [](const Case& c, std::uint64_t key, bool) -> std::optional<Case> {
      std::vector<float> numbers = numbers_of(c);
      numbers.front() = 5000 + static_cast<float>(key % 512);
      Case other = third_case(numbers);
      other.provenance = c.provenance;
      return other;
    };
  }

  Guide guide() const { return {entry_, stream_of(options_), options_.shard}; }

  static bool is_mutant(const Case& c) { return c.provenance.generator == kMutant; }

  const TriggeredGenerator generator_;
  BlockEntry entry_ = third();
};

TEST_F(GuideTest, ChoosesWhatHitsRarePairs) {
  Guide some = guide();
  for (int i = 0; i < 1000; ++i) some.note_hit({"all"});
  const std::vector<Case> cases = some.next();
  ASSERT_EQ(cases.size(), kGuidedCases);
  // Of 64 cases as they come 4 are rare.
  EXPECT_GT(std::ranges::count_if(cases, TriggeredGenerator::is_rare), 8);
  EXPECT_EQ(some.counts().pairs, 2) << "all of rare: with itself and with all";
  EXPECT_EQ(some.counts().cases, static_cast<std::int64_t>(kGuidedCases));
}

TEST_F(GuideTest, WaitsUntilItKnowsWhatIsRare) {
  ScriptedSubject subject("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  options_.guided_share = 0.5;
  options_.cases = kGuideFrom - 1;
  EXPECT_TRUE(fuzz(entry_, {subject.spec("subject")}, options_, listener_).guided.empty());
  options_.cases = kGuideFrom;
  EXPECT_FALSE(fuzz(entry_, {subject.spec("subject")}, options_, listener_).guided.empty());
}

TEST_F(GuideTest, IsAFunctionOfWhatItWasTold) {
  Guide one = guide(), other = guide();
  for (Guide* each : {&one, &other}) {
    each->note_hit({"all"});
    each->note_ratio(third_case({1, 2}), 0.5);
  }
  EXPECT_EQ(one.next(), other.next());
  EXPECT_EQ(one.next(), other.next());
}

TEST_F(GuideTest, TriesTheNeighboursOfWhatIsNearItsBound) {
  Guide some = guide();
  EXPECT_EQ(std::ranges::count_if(some.next(), is_mutant), 0);
  some.note_ratio(third_case({1, 2, 3}), 1);
  some.note_ratio(third_case({1, 2, 3}), 0);
  EXPECT_EQ(std::ranges::count_if(some.next(), is_mutant), 0) << "there is nothing to climb";
  some.note_ratio(third_case({1, 7}), 0.5);
  const std::vector<Case> cases = some.next();
  EXPECT_EQ(std::ranges::count_if(cases, is_mutant), 32);
  EXPECT_EQ(numbers_of(cases.back()).back(), 7);
}

TEST_F(GuideTest, ClimbsAndGivesUpWhereNothingIsNearer) {
  Guide some = guide();
  some.note_ratio(third_case({1, 7}), 0.5);
  Case mutant = some.next().back();
  some.note_ratio(mutant, 0.4);
  EXPECT_EQ(some.counts().climbs, 0);
  some.note_ratio(mutant, 0.6);
  EXPECT_EQ(some.counts().climbs, 1);
  for (int batch = 0; batch < 10; ++batch) some.next();
  EXPECT_EQ(std::ranges::count_if(some.next(), is_mutant), 0) << "all three were tried often enough";
}

TEST_F(GuideTest, OfAnotherShardIsAnother) {
  entry_.mutate = {};
  class Seeded : public ThirdGenerator {
   public:
    Case generate(const StreamChoice& choice, std::uint64_t index) const override {
      return third_case({static_cast<float>(choice.seed % 1000), static_cast<float>(index)});
    }
  };
  const Seeded seeded;
  entry_.generator = &seeded;
  Guide one = guide();
  options_.shard = {1, 2};
  Guide other = guide();
  EXPECT_NE(one.next(), other.next());
}

TEST_F(GuideTest, TheStreamIsWhatItIsWithoutIt) {
  const auto script = [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number >= 5000 || number == 13; });
  };
  ScriptedSubject alone("third", script), guided("third", script);
  options_.cases = 400;
  options_.shrink = false;
  const SessionReport without = fuzz(entry_, {alone.spec("subject")}, options_, listener_);
  EXPECT_TRUE(without.guided.empty());
  ASSERT_EQ(without.findings.size(), 1U);
  EXPECT_EQ(without.findings[0].count, 1);

  std::filesystem::remove_all(options_.out);
  options_.guided_share = 0.5;
  const SessionReport with = fuzz(entry_, {guided.spec("subject")}, options_, listener_);
  ASSERT_EQ(with.guided.size(), 1U);
  EXPECT_GT(with.guided[0].cases, 0);
  EXPECT_GT(with.guided[0].judged, 0);
  EXPECT_GT(with.guided[0].found, 0);
  EXPECT_EQ(with.subjects[0].cases, 400);
  EXPECT_EQ(with.subjects[0].verdicts, without.subjects[0].verdicts);
  EXPECT_EQ(with.subjects[0].ratios.counts(), without.subjects[0].ratios.counts());
  EXPECT_EQ(with.triggers, without.triggers);
  ASSERT_EQ(with.findings.size(), 1U);
  EXPECT_EQ(with.findings[0].count, 1) << "cases of the stream alone are counted";
}

TEST_F(GuideTest, WhatItAloneFindsIsAFinding) {
  ScriptedSubject subject("third", [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number >= 5000; });
  });
  options_.cases = 400;
  options_.shrink = false;
  options_.guided_share = 0.5;
  const SessionReport report = fuzz(entry_, {subject.spec("subject")}, options_, listener_);
  EXPECT_EQ(tally_of(report.subjects[0]).found, 0);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].count, 0);
  EXPECT_EQ(read_case(report.findings[0].case_path).problem.provenance.generator, kMutant);
}

}  // namespace
}  // namespace deformdiff
