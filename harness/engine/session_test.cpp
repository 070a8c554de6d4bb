// Whole sessions with real workers, the oracle and the generator of a block.
#include "engine/session.h"

#include "blocks/ms_deform_attn.h"
#include "core/test_folder.h"
#include "engine/shrink_case.h"
#include "engine/signature.h"
#include "engine/worker_process.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/shrinks.h"
#include "oracles/operations/operations.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

const BlockEntry& entry() {
  static const BlockEntry entry{&ms_deform_attn::block(), operation_oracle, &ms_deform_attn::generator(),
                                ms_deform_attn::shrink_stream};
  return entry;
}

SubjectSpec built_in(const std::string& name) {
  fork_workers_of({DEFORMDIFF_WORKER});
  return {name, {{DEFORMDIFF_WORKER, "--faults"}, name}, {}, {}};
}

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    options_.out = folder_.path();
    options_.seed = 3;
    options_.tiers = {"typical"};
    options_.cases = 100;
    options_.memory_limit = std::int64_t{1} << 30;
  }
  SessionReport fuzzed(const std::vector<std::string>& names) {
    std::vector<SubjectSpec> specs;
    for (const std::string& name : names) specs.push_back(built_in(name));
    Listener silent;
    return fuzz(entry(), specs, options_, silent);
  }

  /// Whether the saved case fails as it says, in a worker that has seen nothing else.
  bool reproduces(const Finding& finding) {
    const SavedCase saved = read_case(finding.case_path);
    Subject subject = open_subject(built_in(saved.subject), options_.limits);
    const Judgement judgement = judge_case(subject, entry(), saved.problem, saved.earlier_calls, {});
    return saved.signature == finding.signature && shows(*saved.signature, judgement.comparison);
  }

  const TestFolder folder_;
  SessionOptions options_;
};

std::int64_t count_of(const SubjectReport& report, Verdict verdict) {
  const auto found = report.verdicts.find(verdict);
  return found == report.verdicts.end() ? 0 : found->second;
}

TEST_F(SessionTest, RightImplementationsAgreeAndEveryCaseIsCounted) {
  options_.tiers.clear();
  const SessionReport report = fuzzed({"cpu", "composite"});
  ASSERT_EQ(report.subjects.size(), 2U);
  for (const SubjectReport& subject : report.subjects) {
    std::int64_t total = 0;
    for (const auto& [verdict, count] : subject.verdicts) total += count;
    EXPECT_EQ(subject.cases, 100);
    EXPECT_EQ(total, 100);
    EXPECT_GT(count_of(subject, Verdict::kAgree), 50);
    EXPECT_GT(subject.ratios.total(), 0);
    EXPECT_LE(subject.ratios.max(), 1);
    EXPECT_FALSE(subject.first_finding_case);
  }
  EXPECT_TRUE(report.findings.empty());
  EXPECT_FALSE(report.triggers.empty());
}

TEST_F(SessionTest, AFaultIsFoundShrunkAndSaved) {
  const SessionReport report = fuzzed({"fault/xy_swapped"});
  ASSERT_FALSE(report.findings.empty());
  std::int64_t counted = 0;
  for (const Finding& finding : report.findings) {
    counted += finding.count;
    EXPECT_EQ(finding.signature.rule, "out_of_bound");
    EXPECT_TRUE(finding.minimal) << finding.one_line;
    EXPECT_LT(finding.shrunk_elements, 30) << finding.one_line;
    EXPECT_EQ(finding.reproduction_rate, 1);
    EXPECT_EQ(finding.earlier_calls, 0U);
    EXPECT_TRUE(reproduces(finding)) << finding.one_line;
  }
  EXPECT_GE(counted, count_of(report.subjects.front(), Verdict::kOutOfBound));
}

TEST_F(SessionTest, APointThatTheFailureDoesNotNeedIsNotKeptForItsClass) {
  options_.tiers = {"exact"};
  options_.first_finding = true;
  const SessionReport report = fuzzed({"fault/border_padding"});
  ASSERT_EQ(report.findings.size(), 1U);
  const Finding& finding = report.findings.front();
  EXPECT_EQ(finding.signature.element_class, "border");
  EXPECT_EQ(finding.shrunk_elements, 7) << finding.one_line;
  EXPECT_TRUE(finding.minimal);
  EXPECT_TRUE(reproduces(finding));
}

TEST_F(SessionTest, ACrashIsOneFindingAndTheRunGoesOn) {
  options_.cases = 6;
  options_.shrink = false;
  const SessionReport report = fuzzed({"fault/segfaults", "cpu"});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings.front().signature.rule, "crashed");
  EXPECT_EQ(report.findings.front().signature.element_class, "structure");
  EXPECT_EQ(report.findings.front().count, count_of(report.subjects.front(), Verdict::kCrashed));
  EXPECT_EQ(report.subjects.front().cases, 6);
  EXPECT_EQ(count_of(report.subjects.back(), Verdict::kAgree), 6);
}

TEST_F(SessionTest, WhatNeedsEarlierCallsIsSavedWithThem) {
  options_.shrink_budget_seconds = 60;
  options_.first_finding = true;
  const SessionReport report = fuzzed({"fault/cached_by_shape"});
  ASSERT_FALSE(report.findings.empty());
  const Finding& finding = report.findings.front();
  EXPECT_EQ(finding.earlier_calls, 1U) << finding.one_line;
  EXPECT_EQ(read_case(finding.case_path).earlier_calls.size(), 1U);
  EXPECT_TRUE(reproduces(finding));
}

TEST_F(SessionTest, AWorkerThatCannotStartIsOneFindingOverAllCases) {
  SubjectSpec spec{"dead", {{"/bin/false"}, "dead"}, {}, {}};
  Listener silent;
  const SessionReport report = fuzz(entry(), {spec}, options_, silent);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings.front().signature.rule, "crashed");
  EXPECT_EQ(report.findings.front().count, 100);
  EXPECT_EQ(count_of(report.subjects.front(), Verdict::kCrashed), 100);
}

TEST_F(SessionTest, FirstFindingEndsThatSubjectAlone) {
  options_.first_finding = true;
  options_.shrink = false;
  const SessionReport report = fuzzed({"fault/xy_swapped", "cpu"});
  ASSERT_FALSE(report.findings.empty());
  const SubjectReport& faulty = report.subjects.front();
  EXPECT_EQ(static_cast<std::uint64_t>(faulty.cases), *faulty.first_finding_case + 1);
  EXPECT_EQ(report.subjects.back().cases, 100);
}

TEST_F(SessionTest, ATimeLimitEndsEverything) {
  options_.cases = std::int64_t{1} << 40;
  options_.time_limit_seconds = 4;
  options_.limits.case_timeout_seconds = 600;
  const SessionReport report = fuzzed({"cpu", "composite", "fault/hangs"});
  EXPECT_LT(report.seconds, 10);
  for (const SubjectReport& subject : report.subjects) EXPECT_GT(subject.cases, 0) << subject.name;
  EXPECT_TRUE(report.findings.empty()) << "nothing hung for as long as a case may take";
}

TEST_F(SessionTest, ShrinkingWhatNoLongerFailsSaysSo) {
  Subject subject = open_subject(built_in("cpu"), options_.limits);
  SavedCase saved;
  saved.problem = entry().generator->generate(1, {"typical"}, 0);
  EXPECT_FALSE(shrink_case(subject, entry(), saved, {}, 1));
}

}  // namespace
}  // namespace deformdiff
