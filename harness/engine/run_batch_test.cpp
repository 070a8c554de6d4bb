#include "engine/run_batch.h"

#include "core/case_file.h"
#include "engine/scripted_session_test.h"

#include <atomic>
#include <numeric>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Kind = Outcome::Kind;

Outcome right(const Case& c, std::span<const Case>) {
  return thirds(c);
}

bool is_two(float number) {
  return number == 2;
}

/// Wrong on every case.
Outcome wrong_on_two(const Case& c, std::span<const Case>) {
  return thirds(c, is_two);
}

class RunBatch : public ScriptedSessionTest {
 protected:
  RunBatch() { options_.shrink = false; }

  static Batch batch_of(std::uint64_t first, std::size_t cases) {
    Batch batch{first, {}};
    for (std::size_t i = 0; i < cases; ++i)
      batch.cases.push_back(third().generator->generate(3, {}, first + i));
    return batch;
  }

  void run(const std::vector<SubjectState*>& group, const Batch& batch) {
    run_batch(third(), options_, group, batch, investigator_, split_, [this] { ++meanwhile_; });
  }

  Investigator investigator_{third(), options_, listener_};
  TimeSplit split_;
  int meanwhile_ = 0;
};

TEST_F(RunBatch, ACaseThatWasRunAgainIsTheFirstCallOfItsWorker) {
  int calls = 0;
  ScriptedSubject subject("third", [&](const Case& c, std::span<const Case>) {
    Outcome outcome = thirds(c);
    if (++calls == 3) outcome.lost_worker = "killed by SIGTERM (Terminated)";
    return outcome;
  });
  SubjectState state = state_of(subject);
  run({&state}, batch_of(5, 4));
  ASSERT_EQ(state.report.retries.size(), 1U);
  const Case& again = subject.calls[2].problem;
  EXPECT_EQ(state.report.retries[0].index, again.provenance.index);
  EXPECT_EQ(state.calls_of_worker().size(), 2U);
  EXPECT_EQ(state.calls_of_worker().front(), again.provenance.index);
}

TEST_F(RunBatch, OnceTheDeadlineHasPassedNoCaseIsGivenOrReferred) {
  ScriptedSubject subject("third", right);
  SubjectState state = state_of(subject);
  options_.limits.end = Deadline().within(0);
  run({&state}, batch_of(5, 4));
  EXPECT_TRUE(subject.calls.empty());
  EXPECT_EQ(subject.batches_started, 0);
  EXPECT_EQ(state.report.cases, 0);
}

TEST_F(RunBatch, EverySubjectOfTheGroupGetsTheBatch) {
  ScriptedSubject one("third", right), two("third", right);
  SubjectState first = state_of(one), second = state_of(two);
  const Batch batch = batch_of(5, 4);
  run({&first, &second}, batch);
  for (const ScriptedSubject* subject : {&one, &two}) {
    ASSERT_EQ(subject->calls.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(subject->calls[i].problem, batch.cases[i]);
    EXPECT_EQ(subject->batches_started, 1);
  }
  for (const SubjectState* state : {&first, &second}) {
    EXPECT_EQ(state->report.cases, 4);
    EXPECT_EQ(state->report.verdicts, (std::map<Verdict, std::int64_t>{{Verdict::kAgree, 4}}));
    EXPECT_EQ(state->report.ratios.total(), 16);
    const auto calls = state->calls_of_worker();
    EXPECT_EQ((std::vector<std::uint64_t>{calls.begin(), calls.end()}),
              (std::vector<std::uint64_t>{5, 6, 7, 8}));
  }
  EXPECT_EQ(investigator_.size(), 0U);
}

TEST_F(RunBatch, TheCallerWorksOnceWhileAllSubjectsAreBusy) {
  ScriptedSubject one("third", right), two("third", right);
  SubjectState first = state_of(one), second = state_of(two);
  int calls = 0;
  run_batch(third(), options_, {&first, &second}, batch_of(0, 2), investigator_, split_, [&] {
    ++calls;
    EXPECT_EQ(one.batches_started + two.batches_started, 2);
    EXPECT_EQ(one.batches_finished + two.batches_finished, 0);
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(one.batches_finished + two.batches_finished, 2);
}

TEST_F(RunBatch, SubjectsOfOneDeclarationShareReferences) {
  ScriptedSubject one("third", right), two("third", right), other("third", right);
  other.info.precision.coordinates = Coordinates::kFused;
  SubjectState first = state_of(one), second = state_of(two), third_state = state_of(other);
  CountingOracle::evaluations = 0;
  run({&first, &second}, batch_of(0, 4));
  EXPECT_EQ(CountingOracle::evaluations, 4);
  CountingOracle::evaluations = 0;
  run({&first, &second, &third_state}, batch_of(4, 4));
  EXPECT_EQ(CountingOracle::evaluations, 8);
}

TEST_F(RunBatch, WhatIsNotAdmittedIsCountedAndNotGiven) {
  ScriptedSubject scripted("third", right);
  scripted.info.supports = "N<4";
  SubjectState state = state_of(scripted);
  Batch batch = batch_of(0, 3);
  batch.cases[1] = third_case({21, 2});
  run({&state}, batch);
  ASSERT_EQ(scripted.calls.size(), 1U);
  EXPECT_EQ(scripted.calls[0].problem, batch.cases[1]);
  EXPECT_EQ(state.report.verdicts,
            (std::map<Verdict, std::int64_t>{{Verdict::kUnsupported, 2}, {Verdict::kAgree, 1}}));
  EXPECT_EQ(state.report.not_judged.at("unsupported: needs N<4"), 2);
  EXPECT_EQ(state.calls_of_worker().size(), 1U);
  EXPECT_EQ(state.calls_of_worker().front(), 1U);
}

TEST_F(RunBatch, ASubjectThatCannotStartFailsOnEveryCaseOnce) {
  ScriptedSubject scripted("third", right);
  scripted.start_failure = outcome_of(Kind::kCrashed, "on loading");
  SubjectState state = state_of(scripted);
  run({&state}, batch_of(0, 4));
  EXPECT_EQ(state.report.verdicts.at(Verdict::kCrashed), 4);
  EXPECT_TRUE(scripted.calls.empty());
  ASSERT_EQ(investigator_.size(), 1U);
  EXPECT_EQ(investigator_.findings()[0].count, 4);
}

TEST_F(RunBatch, ADeathCostsOneCaseAndTheWorkersCalls) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    return contains(c, 11) ? outcome_of(Kind::kCrashed, "killed") : thirds(c);
  });
  SubjectState state = state_of(scripted);
  std::vector<std::int64_t> workers;
  Batch batch = batch_of(0, 3);
  options_.first_finding = true;  // so that the calls are those of the batch alone
  run({&state}, batch);
  for (const GivenCall& call : scripted.calls) workers.push_back(call.worker);
  EXPECT_EQ((std::vector<std::int64_t>{workers.begin(), workers.begin() + 3}),
            (std::vector<std::int64_t>{1, 1, 2}));
  EXPECT_EQ(state.report.verdicts.at(Verdict::kCrashed), 1);
}

TEST_F(RunBatch, AFailureKnowsTheCallsOfItsWorker) {
  // Case 104 fails after case 102.
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case> before) {
    const bool spoiled = std::ranges::any_of(before, [](const Case& call) { return contains(call, 112); });
    return thirds(c, [=](float number) { return spoiled && number == 114; });
  });
  SubjectState state = state_of(scripted);
  run({&state}, batch_of(100, 6));
  ASSERT_EQ(investigator_.size(), 1U);
  const Finding finding = investigator_.findings()[0];
  EXPECT_EQ(finding.first_case, 104U);
  EXPECT_EQ(finding.earlier_calls, 1U);
  EXPECT_EQ(read_case(finding.case_path).earlier_calls, std::vector{third().generator->generate(3, {}, 102)});
}

TEST_F(RunBatch, CountsWhereWrongElementsStand) {
  // Of the four numbers of each case, the second is wrong.
  ScriptedSubject scripted("third", wrong_on_two);
  SubjectState state = state_of(scripted);
  run({&state}, batch_of(0, 5));
  const PlaceCounts& counts = state.report.places.at("output, axis 1 of 1");
  EXPECT_EQ(counts.wrong[kAxisParts / 4], 5);
  EXPECT_EQ(std::accumulate(counts.wrong.begin(), counts.wrong.end(), std::int64_t{0}), 5);
  EXPECT_EQ(std::accumulate(counts.drawn.begin(), counts.drawn.end(), std::int64_t{0}), 5);
}

TEST_F(RunBatch, AFindingKnowsItsWrongElement) {
  ScriptedSubject scripted("third", wrong_on_two);
  SubjectState state = state_of(scripted);
  run({&state}, batch_of(0, 1));
  const Finding finding = investigator_.findings().at(0);
  ASSERT_TRUE(finding.worst);
  EXPECT_EQ(finding.worst->output, "output");
  EXPECT_EQ(finding.worst->shape, Shape{4});
  EXPECT_EQ(finding.worst->element, 1);
  EXPECT_EQ(finding.worst->wrong, std::vector<std::int64_t>{1});
  EXPECT_GT(finding.worst->got, finding.worst->wanted + finding.worst->bound);
}

TEST_F(RunBatch, TwoFailuresOfANewSignatureAreOneFinding) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    return thirds(c, [](float number) { return number == 11 || number == 13; });
  });
  SubjectState state = state_of(scripted);
  run({&state}, batch_of(0, 4));
  ASSERT_EQ(investigator_.size(), 1U);
  const Finding finding = investigator_.findings()[0];
  EXPECT_EQ(finding.count, 2);
  EXPECT_EQ(finding.first_case, 1U);
  EXPECT_EQ(state.report.verdicts.at(Verdict::kOutOfBound), 2);
  EXPECT_EQ(state.report.first_finding_case, 1U);
  EXPECT_EQ(scripted.calls.size(), 4U + kConfirmations) << "confirmed once";
}

/// All zeros: an agreement would show nothing.
Case vacuous_case() {
  return third_case({0, 0, 0, 0});
}

TEST_F(RunBatch, AWorkersFirstCallIsOneThatCanShowAFault) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case> before) {
    return thirds(c, [=](float) { return before.empty(); });
  });
  SubjectState state = state_of(scripted);
  Batch batch = batch_of(0, 3);
  batch.cases[0] = vacuous_case();
  run({&state}, batch);
  EXPECT_EQ(scripted.calls.at(0).problem, batch.cases[1]);
  EXPECT_EQ(scripted.calls.at(1).problem, batch.cases[0]);
  ASSERT_EQ(investigator_.size(), 1U);
  EXPECT_EQ(investigator_.findings()[0].first_case, 1U);
  EXPECT_EQ(investigator_.findings()[0].earlier_calls, 0U);
  EXPECT_EQ(state.report.cases, 3);
}

TEST_F(RunBatch, WorkersAreReplacedAfterSomeCallsAndAfterAFirstThatShowedNothing) {
  ScriptedSubject scripted("third", right);
  SubjectState state = state_of(scripted);
  run({&state}, {0, {vacuous_case(), vacuous_case()}});
  EXPECT_EQ(scripted.restarts, 0);
  run({&state}, batch_of(2, 2));
  EXPECT_EQ(scripted.restarts, 1);
  run({&state}, batch_of(4, kMostCalls));
  EXPECT_EQ(scripted.restarts, 1);
  run({&state}, batch_of(4 + kMostCalls, 2));
  EXPECT_EQ(scripted.restarts, 2);
  EXPECT_EQ(state.calls_of_worker().size(), 2U);
}

TEST_F(RunBatch, AKnownFailureIsCountedAndNotInvestigatedAgain) {
  ScriptedSubject scripted("third", wrong_on_two);
  SubjectState state = state_of(scripted);
  run({&state}, batch_of(0, 1));
  const int restarts = scripted.restarts;
  scripted.calls.clear();
  run({&state}, batch_of(1, 4));
  EXPECT_EQ(scripted.calls.size(), 4U);
  EXPECT_EQ(scripted.restarts, restarts);
  ASSERT_EQ(investigator_.size(), 1U);
  EXPECT_EQ(investigator_.findings()[0].count, 5);
  EXPECT_EQ(investigator_.findings()[0].first_case, 0U);
}

TEST_F(RunBatch, WhatTheEndOfTheRunCutsOffDoesNotCount) {
  std::atomic<bool> interrupted{false};
  options_.limits.end.interrupted = &interrupted;
  ScriptedSubject quick("third", right), slow("third", [&](const Case&c, std::span<const Case>) {
    interrupted = contains(c, 12);
    return thirds(c, is_thirteen);
  });
  SubjectState first = state_of(quick), second = state_of(slow);
  run({&first, &second}, batch_of(0, 4));
  EXPECT_EQ(first.report.cases, 4);
  EXPECT_EQ(second.report.cases, 3);
  EXPECT_EQ(second.report.verdicts, (std::map<Verdict, std::int64_t>{{Verdict::kAgree, 3}}));
  EXPECT_EQ(second.report.ratios.total(), 12);
  EXPECT_EQ(second.calls_of_worker().size(), 3U);
}

TEST_F(RunBatch, SubjectsHaveFindingsOfTheirOwn) {
  ScriptedSubject one("third", wrong_on_two), two("third", wrong_on_two);
  SubjectState first{open_subject(one.spec("one"), {}), "third"};
  SubjectState second{open_subject(two.spec("two"), {}), "third"};
  run({&first, &second}, batch_of(0, 2));
  ASSERT_EQ(investigator_.size(), 2U);
  for (const Finding& finding : investigator_.findings()) EXPECT_EQ(finding.count, 2);
}

TEST_F(RunBatch, TheFirstFindingStopsThatSubject) {
  options_.first_finding = true;
  ScriptedSubject faulty("third", [](const Case& c, std::span<const Case>) {
    return contains(c, 14) ? outcome_of(Kind::kThrew, "fourteen") : thirds(c, is_thirteen);
  });
  ScriptedSubject good("third", right);
  SubjectState stopped = state_of(faulty), going_on = state_of(good);
  run({&stopped, &going_on}, batch_of(0, 6));
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.report.cases, 4) << "cases 0 to 3";
  EXPECT_EQ(stopped.report.verdicts.count(Verdict::kThrew), 0U);
  EXPECT_EQ(stopped.report.first_finding_case, 3U);
  EXPECT_EQ(investigator_.size(), 1U);
  EXPECT_EQ(going_on.report.cases, 6);
  EXPECT_FALSE(going_on.stopped);

  faulty.calls.clear();
  run({&stopped, &going_on}, batch_of(6, 2));
  EXPECT_TRUE(faulty.calls.empty());
  EXPECT_EQ(stopped.report.cases, 4);
  EXPECT_EQ(going_on.report.cases, 8);
  EXPECT_EQ(meanwhile_, 2);
}

TEST_F(RunBatch, InvestigationsWaitUntilEveryWorkerIsIdle) {
  ScriptedSubject good("third", right);
  ScriptedSubject faulty("third", [&](const Case& c, std::span<const Case>) {
    // Its first call beyond the batch is made to confirm.
    EXPECT_EQ(good.batches_finished, faulty.calls.size() > 4 ? 1 : 0);
    return thirds(c, is_thirteen);
  });
  SubjectState first = state_of(faulty), second = state_of(good);
  run({&first, &second}, batch_of(0, 4));
  EXPECT_GT(faulty.calls.size(), 4U);
  EXPECT_TRUE(first.calls_of_worker().empty()) << "its worker is gone";
  EXPECT_EQ(second.calls_of_worker().size(), 4U);
}

TEST_F(RunBatch, TheSecondsOfTheFirstRunAreTheSubjects) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    Outcome outcome = thirds(c);
    outcome.seconds = 0.5;
    outcome.ran_twice = true;
    return outcome;
  });
  SubjectState state = state_of(scripted);
  run({&state}, batch_of(0, 2));
  EXPECT_EQ(state.report.run_seconds, 1);
  EXPECT_EQ(split_.run, 2);
}

}  // namespace
}  // namespace deformdiff
