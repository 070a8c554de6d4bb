// Failures that another declaration would excuse, and those that it leaves out.
#include "core/case_file.h"
#include "engine/scripted_session_test.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Kind = Outcome::Kind;

/// Thirds above 30 may be anything.
void free_large_ones(OutputReference& output) {
  for (std::size_t i = 0; i < output.value.size(); ++i) {
    if (output.value[i] > 30) output.bound[i] = output.value[i];
  }
}

/// Of whoever flushes to zero.
void lenient(OutputReference& output, const Precision& precision, const Contract&) {
  if (precision.flush_to_zero) free_large_ones(output);
}

/// Of whoever ignores level_start_index.
void ignoring(OutputReference& output, const Precision&, const Contract& contract) {
  if (contract.level_start_index == LevelStartIndex::kIgnored) free_large_ones(output);
}

/// Whoever ignores level_start_index is asked no case with a 7.
class IgnoringBlock : public ThirdBlock {
 public:
  std::string outside_contract(const Case& c, const Contract& contract) const override {
    const bool is_ignored = contract.level_start_index == LevelStartIndex::kIgnored;
    return is_ignored && contains(c, 7) ? "a seven" : ThirdBlock::outside_contract(c, contract);
  }
};

Outcome nans(const Case& c) {
  const std::vector<float> values(numbers_of(c).size(), std::numeric_limits<float>::quiet_NaN());
  Outcome outcome = thirds(c);
  outcome.outputs[0].tensor = Tensor::of<float>(DType::kFloat32, c.input("x").shape(), values);
  return outcome;
}

/// Ignores level_start_index: wrong above 100, and NaN all over beside a 7.
Outcome ignores(const Case& c, std::span<const Case>) {
  return contains(c, 7) ? nans(c) : thirds(c, [](float number) { return number > 100; });
}

class Excused : public ScriptedSessionTest {};

TEST_F(Excused, WhatADeclarationWouldExcuseIsAFindingOfItsOwn) {
  BlockEntry entry = third();
  entry.operations = changed_third_operation<lenient>;
  Investigator investigator(entry, options_, listener_);
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number == 13 || number == 120; });
  });
  SubjectState state = state_of(scripted);
  const auto meet = [&](const std::vector<float>& x) {
    investigator.investigate(state, met(state, entry, third_case(x)));
  };
  meet({2, 120, 4});
  meet({120, 8});
  ASSERT_EQ(investigator.size(), 1U);
  Finding excused = investigator.findings()[0];
  EXPECT_EQ(excused.excused_by, "flush_to_zero=1");
  EXPECT_EQ(excused.count, 2);
  EXPECT_EQ(numbers_of(read_case(excused.case_path).problem), std::vector{120.F});

  // Under the same signature, and not shrunk to what is excused.
  meet({120, 13, 4});
  ASSERT_EQ(investigator.size(), 2U);
  const Finding real = investigator.findings()[1];
  EXPECT_EQ(real.signature, excused.signature);
  EXPECT_EQ(real.excused_by, "");
  EXPECT_NE(real.case_path, excused.case_path);
  EXPECT_EQ(numbers_of(read_case(real.case_path).problem), std::vector{13.F});

  // Who declares it has no such finding.
  state.subject.info.precision.flush_to_zero = true;
  EXPECT_EQ(judge_case(state.subject, entry, third_case({120, 8}), {}, {}).comparison.verdict,
            Verdict::kAgree);
}

TEST_F(Excused, OnlyARefusalIsExcusedByAStepThatDoesNotDivide) {
  Investigator investigator(third(), options_, listener_);
  for (const bool refuses : {true, false}) {
    const std::string name = refuses ? "refuses" : "computes";
    ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
      if (numbers_of(c).size() % 2 == 0) return thirds(c);
      return refuses ? outcome_of(Kind::kThrew, "odd") : thirds(c, is_thirteen);
    });
    SubjectState state{open_subject(scripted.spec(name), {}), "third"};
    investigator.investigate(state, met(state, third(), third_case({13, 2, 4})));
    EXPECT_EQ(investigator.findings().back().signature.subject, name);
    EXPECT_EQ(investigator.findings().back().excused_by, refuses ? "im2col_step=divides" : "");
  }
}

/// The findings of failures that a declaration leaves out.
class LeftOut : public ScriptedSessionTest {
 protected:
  /// Of a subject that fails on these cases, in this order.
  std::vector<Finding> findings_on(const std::vector<std::vector<float>>& cases, const Script& script) {
    Investigator investigator(entry_, options_, listener_);
    ScriptedSubject scripted("third", script);
    SubjectState state = state_of(scripted);
    for (const std::vector<float>& x : cases)
      investigator.investigate(state, met(state, entry_, third_case(x)));
    investigator.settle();
    return investigator.findings();
  }

  const IgnoringBlock block_;
  const BlockEntry entry_{&block_, changed_third_operation<ignoring>, third().generator, third().shrinks};
};

TEST_F(LeftOut, IsWhatItShrinksTo) {
  const std::vector<Finding> plain = findings_on({{7, 13, 4}}, wrong_on_thirteen);
  ASSERT_EQ(plain.size(), 1U);
  EXPECT_EQ(plain[0].excused_by, "");
  EXPECT_EQ(numbers_of(read_case(plain[0].case_path).problem), std::vector{13.F});
  EXPECT_EQ(files(), std::vector{plain[0].case_path.filename().string()});

  const std::vector<Finding> excused = findings_on({{7, 120, 4}}, [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number > 100; });
  });
  ASSERT_EQ(excused.size(), 1U);
  EXPECT_EQ(excused[0].excused_by, "level_start_index=ignored");
  EXPECT_EQ(numbers_of(read_case(excused[0].case_path).problem), std::vector{120.F});
}

TEST_F(LeftOut, BelongsToTheFindingOfItsSignatureWhicheverIsMetFirst) {
  options_.shrink = false;
  const auto wrong = [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number == 13 || number == 120; });
  };
  for (const auto& [judged, excuse] : {std::pair{13.F, ""}, {120.F, "level_start_index=ignored"}}) {
    for (const bool is_first : {true, false}) {
      std::vector<std::vector<float>> cases{{7, judged, 4}, {judged, 4}};
      if (!is_first) std::ranges::reverse(cases);
      const std::vector<Finding> findings = findings_on(cases, wrong);
      ASSERT_EQ(findings.size(), 1U) << judged;
      EXPECT_EQ(findings[0].excused_by, excuse);
      EXPECT_EQ(findings[0].count, 2);
      EXPECT_EQ(numbers_of(read_case(findings[0].case_path).problem), (std::vector<float>{judged, 4}));
      std::filesystem::remove_all(options_.out);
    }
  }
}

TEST_F(LeftOut, IsExcusedWhereAnotherFailureSpeaksForTheDeclaration) {
  const std::vector<Finding> findings = findings_on({{7, 2}, {120, 4}}, ignores);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].signature.rule, "nonfinite_mismatch");
  EXPECT_EQ(findings[1].signature.rule, "out_of_bound");
  for (const Finding& finding : findings) EXPECT_EQ(finding.excused_by, "level_start_index=ignored");
  EXPECT_EQ(files().size(), 2U);
}

TEST_F(LeftOut, IsNotExcusedWithoutEvidence) {
  const std::vector<Finding> findings = findings_on({{7, 2}}, ignores);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].excused_by, "");
}

TEST_F(LeftOut, IsNotExcusedWhereItsRuleIsBrokenElsewhere) {
  // NaN for a 0.5 too, which is of another class.
  const auto also_nan = [](const Case& c, std::span<const Case> before) {
    return contains(c, 0.5F) ? nans(c) : ignores(c, before);
  };
  const std::vector<Finding> findings = findings_on({{7, 2}, {120, 4}, {0.5F}}, also_nan);
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0].excused_by, "");
  EXPECT_EQ(findings[1].excused_by, "level_start_index=ignored");
  EXPECT_EQ(findings[2].excused_by, "");
}

TEST_F(LeftOut, ARefusalIsExcusedUnlessItIsMetElsewhere) {
  options_.shrink = false;
  const auto refuses = [](const Case&, std::span<const Case>) { return outcome_of(Kind::kThrew, "no"); };
  std::vector<Finding> findings = findings_on({{13, 2, 4}}, refuses);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].excused_by, "im2col_step=divides");

  findings = findings_on({{13, 2, 4}, {2, 4}}, refuses);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].excused_by, "");
  EXPECT_EQ(findings[0].count, 2);
}

}  // namespace
}  // namespace deformdiff
