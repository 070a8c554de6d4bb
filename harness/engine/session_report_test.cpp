#include "engine/session_report.h"

#include "engine/scripted_session_test.h"
#include "engine/session.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Comparison with(Verdict verdict, const std::string& reason = "") {
  Comparison comparison;
  comparison.verdict = verdict;
  comparison.reason = reason;
  return comparison;
}

TEST(Count, KeepsReasonsAndTheFirstFinding) {
  SubjectReport report;
  count(report, with(Verdict::kUnsupported, "float16"));
  count(report, with(Verdict::kThrew, "float16"));
  count(report, with(Verdict::kThrew, "float16"));
  EXPECT_EQ(report.cases, 3);
  EXPECT_EQ(report.not_judged.at("unsupported: float16"), 1);
  EXPECT_EQ(report.not_judged.size(), 1U);
  EXPECT_EQ(report.first_finding_case, 1U);
}

TEST(Count, CountsReasonsOfWhatWasNotJudged) {
  SubjectReport report;
  count(report, with(Verdict::kUnsupported, "float16"));
  count(report, with(Verdict::kUnsupported, "float16"));
  count(report, with(Verdict::kAgree, "float16"));
  count(report, with(Verdict::kVacuous, "all zero"));
  EXPECT_EQ(report.cases, 4);
  EXPECT_EQ(report.verdicts, (std::map<Verdict, std::int64_t>{
                                 {Verdict::kVacuous, 1}, {Verdict::kUnsupported, 2}, {Verdict::kAgree, 1}}));
  EXPECT_EQ(report.not_judged,
            (std::map<std::string, std::int64_t>{{"unsupported: float16", 2}, {"vacuous: all zero", 1}}));
  EXPECT_FALSE(report.first_finding_case);
}

TEST(Count, KeepsWhatWasRunAgainUnlessItCrashedAgain) {
  SubjectReport report;
  Comparison comparison = with(Verdict::kAgree);
  count(report, comparison);
  comparison.lost_worker = "killed by SIGKILL (Killed)";
  count(report, comparison);
  count(report, comparison, 7);
  comparison.verdict = Verdict::kCrashed;
  count(report, comparison);
  ASSERT_EQ(report.retries.size(), 2U);
  EXPECT_EQ(report.retries[0].index, 1U);
  EXPECT_EQ(report.retries[1].index, 7U);
  EXPECT_EQ(report.retries[1].lost_worker, "killed by SIGKILL (Killed)");
  EXPECT_EQ(report.retries[1].verdict, Verdict::kAgree);
}

TEST(Count, CountsVerdictsThatRestOnEstimates) {
  SubjectReport report;
  Comparison comparison = with(Verdict::kAgree);
  count(report, comparison);
  comparison.estimated = true;
  count(report, comparison);
  EXPECT_EQ(report.estimated, 1);
}

SessionReport report_of(const std::string& name, double seconds) {
  SessionReport report;
  report.subjects.emplace_back().name = name;
  report.findings.emplace_back().one_line = name;
  report.triggers = {{"both", 2}, {name, 1}};
  report.environment = {{"LibTorch", name}, {name, name}};
  report.split = {1, 2, 3, 4, 5};
  report.seconds = seconds;
  return report;
}

TEST(Append, AddsUp) {
  SessionReport all = report_of("first", 1);
  append(all, report_of("second", 10));
  ASSERT_EQ(all.subjects.size(), 2U);
  EXPECT_EQ(all.subjects[0].name, "first");
  EXPECT_EQ(all.subjects[1].name, "second");
  ASSERT_EQ(all.findings.size(), 2U);
  EXPECT_EQ(all.findings[1].one_line, "second");
  EXPECT_EQ(all.triggers, (std::map<std::string, std::int64_t>{{"both", 4}, {"first", 1}, {"second", 1}}));
  EXPECT_EQ(all.environment, (std::map<std::string, std::string>{
                                 {"LibTorch", "first"}, {"first", "first"}, {"second", "second"}}));
  EXPECT_EQ(all.split.generate, 2);
  EXPECT_EQ(all.split.transport, 4);
  EXPECT_EQ(all.split.run, 6);
  EXPECT_EQ(all.split.oracle, 8);
  EXPECT_EQ(all.split.compare, 10);
  EXPECT_EQ(all.seconds, 11);
}

class ScriptedSession : public ScriptedSessionTest {};

TEST_F(ScriptedSession, SaysHowManyWorkersEachSubjectTook) {
  ScriptedSubject right("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  ScriptedSubject dies("third", [](const Case& c, std::span<const Case>) {
    return contains(c, 15) ? outcome_of(Outcome::Kind::kCrashed) : thirds(c);
  });
  options_.cases = 20;
  options_.shrink = false;
  const SessionReport report = fuzz(third(), {right.spec("right"), dies.spec("dies")}, options_, listener_);
  EXPECT_EQ(report.subjects[0].cases, 20);
  EXPECT_EQ(report.subjects[0].workers, 1);
  EXPECT_EQ(report.subjects[1].workers, dies.workers);
  // One until it dies, one for the rest of the batch, those that confirm, and one for what follows.
  EXPECT_EQ(report.subjects[1].workers, 2 + kConfirmations + 1);
}

}  // namespace
}  // namespace deformdiff
