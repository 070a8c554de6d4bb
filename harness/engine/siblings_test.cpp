// Failures of one signature that come from several tiers: one cause or two.
#include "core/case_file.h"
#include "engine/scripted_session_test.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <utility>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kHuge = 3e38F;

/// A third of NaN is NaN, of an infinity infinite.
void special(OutputReference& output, const Precision&, const Contract&) {
  for (std::size_t i = 0; i < output.value.size(); ++i) {
    output.admits.push_back(kind_of(output.value[i]));
    if (!std::isfinite(output.value[i])) output.value[i] = output.bound[i] = 0;
  }
}

/// Numbers of a tier.
struct Tiered {
  std::string tier;
  std::vector<float> x;
};

/// Several failures of one signature.
class Siblings : public ScriptedSessionTest {
 protected:
  std::vector<Finding> findings_on(const std::vector<Tiered>& cases) {
    Investigator investigator(entry_, options_, listener_);
    SubjectState state = state_of(scripted_);
    for (const auto& [tier, x] : cases) {
      Case problem = third_case(x);
      problem.provenance.tier = tier;
      const Failure failure = met(state, entry_, std::move(problem));
      calls_before_ = scripted_.calls.size();
      investigator.investigate(state, failure);
    }
    return investigator.findings();
  }

  /// How many calls the last failure took.
  std::size_t last_calls() const { return scripted_.calls.size() - calls_before_; }

  /// A subject that makes other numbers of some.
  static Script changing(const std::function<float(const Case&, float number, float right)>& change) {
    return [=](const Case& c, std::span<const Case>) {
      Outcome outcome = thirds(c);
      std::vector<float> values = numbers_of(c);
      for (float& value : values) value = change(c, value, value / 3);
      outcome.outputs[0].tensor = Tensor::of<float>(DType::kFloat32, c.input("x").shape(), values);
      return outcome;
    };
  }

  static bool any(const Case& c, bool (*is)(float)) { return std::ranges::any_of(numbers_of(c), is); }

  const ThirdBlock block_;
  const BlockEntry entry_{&block_, changed_third_operation<special>, third().generator, third().shrinks};
  Script script_;
  ScriptedSubject scripted_{
      "third", [this](const Case& c, std::span<const Case> before) { return script_(c, before); }};
  std::size_t calls_before_ = 0;
};

TEST_F(Siblings, AnOverflowAndALeakingInfinityAreTwoFindings) {
  script_ = changing([](const Case& c, float number, float right) {
    const bool leaks = any(c, [](float each) { return std::isinf(each); });
    if (leaks && std::isfinite(number)) return kNaN;
    return number == kHuge ? kInfinity : right;
  });
  const Tiered overflow{"large", {2, kHuge, 4}};
  const Tiered leak{"nonfinite", {5, kInfinity, 4}};
  for (const bool overflow_first : {true, false}) {
    const std::vector<Finding> findings = findings_on(
        {overflow_first ? overflow : leak, overflow_first ? leak : overflow, leak, overflow, leak});
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_EQ(findings[0].signature, findings[1].signature);
    EXPECT_NE(findings[0].case_path, findings[1].case_path);
    const Finding& of_overflow = findings[overflow_first ? 0 : 1];
    const Finding& of_leak = findings[overflow_first ? 1 : 0];
    EXPECT_EQ(numbers_of(read_case(of_overflow.case_path).problem), std::vector{kHuge});
    EXPECT_EQ(numbers_of(read_case(of_leak.case_path).problem), (std::vector{kInfinity, 1.F}));
    EXPECT_EQ(of_overflow.count, 2);
    EXPECT_EQ(of_leak.count, 3);
    EXPECT_EQ(of_overflow.smallest->needs, NumberKinds{NumberKind::kHuge});
    EXPECT_EQ(of_leak.smallest->needs, NumberKinds{NumberKind::kInfinity});
    for (const Finding& finding : findings) EXPECT_TRUE(finding.minimal);
    EXPECT_EQ(files().size(), 2U);
    std::filesystem::remove_all(options_.out);
  }
}

TEST_F(Siblings, WhatFailsWithOneKindInPlaceOfTheOtherIsOneFinding) {
  script_ = changing([](const Case& c, float number, float right) {
    const bool leaks = any(c, [](float each) { return !std::isfinite(each); });
    return leaks && std::isfinite(number) ? kNaN : right;
  });
  const std::vector<Finding> findings = findings_on({{"a", {2, kNaN, 4}}, {"b", {2, kInfinity, 4}}});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].count, 2);
  EXPECT_GT(last_calls(), 0U) << "it was shrunk";
}

TEST_F(Siblings, AnOverflowBesideAFaultOfOrdinaryNumbersIsAFindingOfItsOwn) {
  script_ = changing([](const Case&, float number, float right) {
    return number == 13 ? kNaN : number == kHuge ? kInfinity : right;
  });
  const std::vector<Finding> findings =
      findings_on({{"a", {2, 13}}, {"b", {4, kHuge}}, {"c", {13, kHuge}}, {"c", {13, 4}}});
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].count, 3);
  EXPECT_EQ(findings[1].count, 1);
  EXPECT_EQ(numbers_of(read_case(findings[1].case_path).problem), std::vector{kHuge});
}

TEST_F(Siblings, WhatNeedsNoneOfItsNumbersIsOneFinding) {
  script_ = wrong_on_thirteen;
  const std::vector<Finding> findings = findings_on({{"a", {2, 13}}, {"b", {13, kHuge, kInfinity}}});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].count, 2);
  EXPECT_EQ(last_calls(), 1U) << "with ordinary numbers in their place";
}

TEST_F(Siblings, OneOfATierIsLookedAtAndNoneThatCouldShowNothingElse) {
  script_ = wrong_on_thirteen;
  findings_on({{"a", {2, 13}}, {"b", {13, 4}}});
  EXPECT_EQ(last_calls(), 0U) << "there are ordinary numbers alone";
  findings_on({{"a", {2, 13}}, {"b", {13, kHuge}}, {"b", {13, 2, kHuge}}});
  EXPECT_EQ(last_calls(), 0U) << "there was one of the tier";
  findings_on({{"a", {2, 13}}, {"b", {13, kHuge}}, {"c", {13, 2, kHuge}}});
  EXPECT_EQ(last_calls(), 1U);
  options_.shrink = false;
  findings_on({{"a", {2, 13}}, {"b", {13, kHuge}}});
  EXPECT_EQ(last_calls(), 0U);
}

}  // namespace
}  // namespace deformdiff
