#include "engine/groups.h"

#include "engine/scripted_session_test.h"
#include "engine/session.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr Effect kUnknown = Effect::kUnknown;
constexpr Effect kFails = Effect::kFails;
constexpr Effect kVanishes = Effect::kVanishes;

class NameGroups : public testing::Test {
 protected:
  NameGroups() { drawn_.cases.add(0, 100); }

  Finding& add(const std::vector<Effect>& effects, Effect plainest = kUnknown) {
    Finding& finding = findings_.emplace_back();
    ablated_.push_back({&finding, {effects, plainest, {3, 2}}});
    return finding;
  }

  void name() { name_groups(ablated_, {"one level", "square maps"}, triggers_, drawn_); }

  std::list<Finding> findings_;
  std::vector<AblatedFinding> ablated_;
  std::vector<TriggerClass> triggers_;
  DrawnCases drawn_;
};

TEST_F(NameGroups, OfWhatVanishesWithTheSame) {
  const Finding& a = add({kFails, kVanishes});
  const Finding& b = add({kFails, kVanishes});
  name();
  EXPECT_EQ(a.group, "Both vanish with square maps, tried on 4 of their cases.");
  EXPECT_EQ(b.group, a.group);
}

TEST_F(NameGroups, KeepWhatOneThingTellsApart) {
  const Finding& a = add({kFails, kVanishes});
  const Finding& b = add({kVanishes, kVanishes});
  name();
  EXPECT_EQ(a.group, "");
  EXPECT_EQ(b.group, "");
}

TEST_F(NameGroups, AreNotPartedByWhatOneCaseAloneShows) {
  const Finding& a = add({kFails, kVanishes});
  add({kVanishes, kVanishes});
  ablated_.back().failure.cases = {1, 1};
  name();
  EXPECT_EQ(a.group, "Both vanish with square maps, tried on 3 of their cases.");
}

TEST_F(NameGroups, TakeInWhatWasMetWhileShrinkingOne) {
  const Finding& a = add({kFails, kVanishes});
  const Finding& b = add({kFails, kVanishes});
  const Finding& met = add({kFails, kUnknown});
  ablated_.back().met_while = &b;
  const Finding& told_apart = add({kVanishes, kFails});
  ablated_.back().met_while = &b;
  name();
  EXPECT_EQ(
      a.group,
      "Both vanish with square maps, tried on 4 of their cases. One was met while shrinking another, and "
      "nothing that was tried tells them apart.");
  EXPECT_EQ(b.group, a.group);
  EXPECT_EQ(met.group, a.group);
  EXPECT_EQ(told_apart.group, "");
}

TEST_F(NameGroups, TakeInWhatOneOfThemIsLinkedWith) {
  const Finding& a = add({kVanishes, kUnknown});
  const Finding& b = add({kVanishes, kVanishes});
  const Finding& linked = add({kUnknown, kVanishes});
  const Finding& told_apart = add({kFails, kVanishes});
  name();
  EXPECT_EQ(a.group,
            "Both vanish with one level, tried on 6 of their cases. One more vanishes with square maps, as "
            "others of them do, and nothing that was tried tells it apart.");
  EXPECT_EQ(b.group, a.group);
  EXPECT_EQ(linked.group, a.group);
  EXPECT_EQ(told_apart.group, "");
}

TEST_F(NameGroups, OfOneAndWhatWasMetWhileShrinkingIt) {
  const Finding& a = add({kFails, kUnknown});
  const Finding& met = add({kUnknown, kUnknown});
  ablated_.back().met_while = &a;
  name();
  EXPECT_EQ(a.group, "One was met while shrinking the other, and nothing that was tried tells them apart.");
  EXPECT_EQ(met.group, a.group);
}

TEST_F(NameGroups, OfTwoCausesHaveTwoNames) {
  const Finding& a = add({kFails, kVanishes});
  const Finding& b = add({kVanishes, kFails});
  const Finding& c = add({kFails, kVanishes});
  const Finding& d = add({kVanishes, kFails});
  name();
  EXPECT_EQ(a.group, "Both vanish with square maps, tried on 4 of their cases.");
  EXPECT_EQ(b.group, "Both vanish with one level, tried on 6 of their cases.");
  EXPECT_EQ(c.group, a.group);
  EXPECT_EQ(d.group, b.group);
}

TEST_F(NameGroups, TakeWhatIsTheirsAloneOrSayWhatElseTellsThemApart) {
  const Finding& a = add({kVanishes, kVanishes});
  add({kVanishes, kVanishes});
  const Finding& c = add({kVanishes, kFails});
  add({kVanishes, kFails});
  name();
  EXPECT_EQ(a.group, "Both vanish with square maps, tried on 4 of their cases.");
  EXPECT_EQ(c.group, "Both vanish with one level, not with square maps, tried on 6 of their cases.");
}

TEST_F(NameGroups, LeaveAloneWhatNothingIsKnownOf) {
  add({kUnknown, kUnknown});
  add({kUnknown, kUnknown});
  add({kVanishes, kUnknown});
  name();
  EXPECT_TRUE(std::ranges::all_of(findings_, [](const Finding& each) { return each.group.empty(); }));
}

TEST_F(NameGroups, OfWhatFailsOnThePlainestCases) {
  const Finding& a = add({kFails, kFails}, kFails);
  const Finding& b = add({kFails, kUnknown}, kFails);
  const Finding& c = add({kFails, kFails}, kVanishes);
  name();
  EXPECT_EQ(a.group, "Both fail even on the plainest cases, with all taken away that can be.");
  EXPECT_EQ(b.group, a.group);
  EXPECT_EQ(c.group, "");
}

TEST_F(NameGroups, OfWhatVanishesWithTheSameThingsTogether) {
  const Finding& a = add({kFails, kFails}, kVanishes);
  const Finding& b = add({kFails, kUnknown}, kVanishes);
  const Finding& c = add({kFails, kFails}, kVanishes);
  for (AblatedFinding& each : ablated_) {
    each.failure.together.things = {0, 1};
    each.failure.together.cases = 2;
  }
  ablated_.back().failure.together.things = {1};
  name();
  EXPECT_EQ(a.group,
            "Both vanish with one level and square maps, all at once and none alone, tried on 4 of their "
            "cases.");
  EXPECT_EQ(b.group, a.group);
  EXPECT_EQ(c.group, "");
}

TEST_F(NameGroups, TakeInWhatADeclarationExcusesButNothingElseOfThat) {
  Finding& a = add({kFails, kVanishes});
  Finding& b = add({kFails, kVanishes});
  b.excused_by = "subnormals=flushed";
  name();
  EXPECT_NE(b.group, "");
  a.group = b.group = "";
  a.excused_by = b.excused_by;
  name();
  EXPECT_EQ(a.group + b.group, "");
}

TEST_F(NameGroups, TellTheClassesThatAllTheirCasesHitAndOthersDoNot) {
  triggers_ = {
      {"common", "in most cases"}, {"theirs", "in theirs"}, {"of_one", "in one's"}, {"rare", "rare"}};
  for (const char* trigger : {"common", "theirs", "of_one", "rare"}) drawn_.triggers[trigger] = 20;
  drawn_.triggers["common"] = 90;
  drawn_.triggers["rare"] = 12;
  Finding& a = add({kFails, kVanishes});
  a.count = 2;
  a.triggers = {{"common", 2}, {"theirs", 2}, {"of_one", 2}, {"rare", 2}};
  Finding& b = add({kFails, kVanishes});
  b.count = 8;
  b.triggers = {{"common", 8}, {"theirs", 8}, {"of_one", 7}, {"rare", 8}};
  name();
  EXPECT_EQ(a.group,
            "Both vanish with square maps, tried on 4 of their cases: their cases hit rare (rare) and theirs "
            "(in theirs).");

  // What two cases have in common is chance.
  b.count = 0;
  b.triggers.clear();
  name();
  EXPECT_EQ(a.group, "Both vanish with square maps, tried on 4 of their cases.");
}

/// Two planted causes, each of two signatures.
class GroupsOfASubject : public ScriptedSessionTest {
 protected:
  GroupsOfASubject() {
    entry_.ablations = {{"no numbers above 1000", [](const Case& c) { return replaced(c, 1000); }},
                        {"no thirteen", [](const Case& c) { return replaced(c, 12); }}};
  }

  /// 1 in place of 13 or of what is above 1000.
  static CaseStream replaced(const Case& c, float limit) {
    std::vector<float> x = numbers_of(c);
    for (float& number : x) {
      if (limit == 1000 ? number > limit : is_thirteen(number)) number = 1;
    }
    return [next = std::optional(third_case(x))]() mutable { return std::exchange(next, std::nullopt); };
  }

  /// Above 1000 a result is wrong, above 5000 NaN; beside a 13 what is below 1, which is of another class, is
  /// wrong, or where there is none a result is missing.
  static Outcome two_faults(const Case& c, std::span<const Case>) {
    const std::vector<float> x = numbers_of(c);
    const bool any_below = std::ranges::any_of(x, [](float each) { return each < 1; });
    const bool thirteen = contains(c, 13);
    Outcome outcome = thirds(c, [&](float each) { return each > 1000 || (thirteen && each < 1); });
    const auto right = outcome.outputs[0].tensor.values<float>();
    std::vector<float> y(right.begin(), right.end());
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (x[i] > 5000) y[i] = std::numeric_limits<float>::quiet_NaN();
    }
    if (thirteen && !any_below) y.pop_back();
    outcome.outputs[0].tensor = Tensor::of<float>(DType::kFloat32, {static_cast<std::int64_t>(y.size())}, y);
    return outcome;
  }

  /// The run's cases are these.
  class ListGenerator : public ThirdGenerator {
   public:
    std::vector<std::vector<float>> cases;

    std::vector<TriggerClass> triggers() const override { return {{"large", "a number above 1000"}}; }
    Case generate(const StreamChoice&, std::uint64_t index) const override {
      return third_case(cases.at(index));
    }
    std::vector<std::string> triggers_hit(const Case& c) const override {
      const bool large = std::ranges::any_of(numbers_of(c), [](float x) { return x > 1000; });
      return large ? std::vector<std::string>{"large"} : std::vector<std::string>();
    }
  };

  std::vector<Finding> grouped(Script script, const std::vector<std::vector<float>>& cases) {
    generator_.cases = cases;
    entry_.generator = &generator_;
    ScriptedSubject scripted("third", std::move(script));
    SubjectState state = state_of(scripted);
    Investigator investigator(entry_, options_, listener_);
    DrawnCases drawn;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      Failure failure = met(state, entry_, third_case(cases[i]));
      failure.index = i;
      for (const std::string& trigger : generator_.triggers_hit(failure.problem)) ++drawn.triggers[trigger];
      if (is_finding(failure.judgement.comparison.verdict)) investigator.investigate(state, failure);
    }
    drawn.cases.add(0, cases.size());
    const std::size_t calls_before = scripted.calls.size();
    if (before_grouping_) before_grouping_();
    group_findings(investigator.book(), state, entry_, options_, drawn);
    calls_ = scripted.calls.size() - calls_before;
    return investigator.findings();
  }

  BlockEntry entry_ = third();
  ListGenerator generator_;
  std::size_t calls_ = 0;  ///< that grouping made
  std::function<void()> before_grouping_;
};

TEST_F(GroupsOfASubject, TwoCausesStayTwo) {
  const std::vector<Finding> findings =
      grouped(two_faults, {{2000, 3}, {6000, 3}, {4, 3000, 5}, {13, 0.5F}, {13, 4}, {2, 3}});
  std::map<std::string, int> sizes;
  for (const Finding& finding : findings) ++sizes[finding.group];
  EXPECT_EQ(sizes,
            (std::map<std::string, int>{
                {"Both vanish with no numbers above 1000, tried on 3 of their cases: their cases hit large "
                 "(a number above 1000).",
                 2},
                {"Both vanish with no thirteen, tried on 2 of their cases.", 2}}));
}

TEST_F(GroupsOfASubject, WhatDependsOnEarlierCallsIsOneGroup) {
  // Wrong from the third call of a worker on, by a rule that the case decides.
  const auto worn_out = [](const Case& c, std::span<const Case> before) {
    Outcome outcome = thirds(c, [&](float) { return before.size() > 1; });
    if (before.size() > 1 && contains(c, 7)) outcome.outputs.clear();
    return outcome;
  };
  std::vector<std::vector<float>> cases(8, {2, 3});
  cases[7] = {7, 2};
  generator_.cases = cases;
  entry_.generator = &generator_;
  ScriptedSubject scripted("third", worn_out);
  SubjectState state = state_of(scripted);
  Investigator investigator(entry_, options_, listener_);
  for (const std::size_t i : {std::size_t{5}, std::size_t{7}}) {
    std::vector<Case> earlier(5, third_case({2, 3}));
    Failure failure;
    failure.index = i;
    failure.problem = third_case(cases[i]);
    failure.judgement = judge_case(state.subject, entry_, failure.problem, earlier, {});
    failure.earlier = {0, 1, 2, 3, 4};
    investigator.investigate(state, failure);
  }
  DrawnCases drawn;
  drawn.cases.add(0, cases.size());
  group_findings(investigator.book(), state, entry_, options_, drawn);
  ASSERT_EQ(investigator.findings().size(), 2U);
  for (const Finding& finding : investigator.findings()) {
    EXPECT_EQ(finding.group, "Both vanish with no earlier calls.") << finding.one_line;
  }
}

TEST_F(GroupsOfASubject, NothingIsGroupedOnceTheRunIsOver) {
  std::atomic<bool> interrupted = false;
  std::size_t calls_left = 1 << 20;
  // Three signatures of one cause.
  const auto three_ways = [&](const Case& c, std::span<const Case> before) {
    if (calls_left > 0 && --calls_left == 0) interrupted = true;
    Outcome outcome = two_faults(c, before);
    if (std::ranges::any_of(numbers_of(c), [](float x) { return x > 9000; })) outcome.outputs.clear();
    return outcome;
  };
  options_.limits.end.interrupted = &interrupted;
  const std::vector<std::vector<float>> cases{{2000, 3}, {6000, 3}, {9500, 3}};
  EXPECT_NE(grouped(three_ways, cases).at(0).group, "");
  std::filesystem::remove_all(options_.out);
  before_grouping_ = [&, last = calls_ - 1] { calls_left = last; };
  for (const Finding& finding : grouped(three_ways, cases)) EXPECT_EQ(finding.group, "");
}

TEST_F(GroupsOfASubject, ATimedRunLeavesTimeForIt) {
  // There are always more cases.
  class Endless : public ListGenerator {
   public:
    Case generate(const StreamChoice& choice, std::uint64_t index) const override {
      return ListGenerator::generate(choice, index % cases.size());
    }
  };
  Endless generator;
  generator.cases = {{2000, 3}, {6000, 3}, {2, 3}};
  entry_.generator = &generator;
  ScriptedSubject scripted("third", two_faults);
  options_.cases = std::int64_t{1} << 40;
  options_.time_limit_seconds = 4;
  const SessionReport report = fuzz(entry_, {scripted.spec()}, options_, listener_);
  EXPECT_LT(report.seconds, 5);
  ASSERT_EQ(report.findings.size(), 2U);
  EXPECT_NE(report.findings[0].group, "");

  // With --no-shrink there is none.
  options_.shrink = false;
  options_.cases = 30;
  EXPECT_EQ(fuzz(entry_, {scripted.spec()}, options_, listener_).findings.at(0).group, "");
}

TEST_F(GroupsOfASubject, ALoneFindingIsNotRunAgain) {
  const std::vector<Finding> findings = grouped(wrong_on_thirteen, {{13, 4}});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].group, "");
  EXPECT_EQ(calls_, 0U);
}

}  // namespace
}  // namespace deformdiff
