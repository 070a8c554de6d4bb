#include "engine/subject_state.h"

#include "engine/scripted_runner_test.h"
#include "engine/toy_block_test.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

SubjectState state_of() {
  Subject subject;
  subject.spec.name = subject.info.name = "fake";
  return {std::move(subject), "block"};
}

std::vector<std::uint64_t> calls_of(const SubjectState& state) {
  const auto calls = state.calls_of_worker();
  return {calls.begin(), calls.end()};
}

TEST(SubjectState, KeepsTheCallsOfThePresentWorkerOnly) {
  SubjectState state = state_of();
  state.note_call(3, outcome_of(Outcome::Kind::kReturned));
  state.note_call(5, outcome_of(Outcome::Kind::kThrew));
  EXPECT_EQ(calls_of(state), (std::vector<std::uint64_t>{3, 5}));
  state.note_call(6, outcome_of(Outcome::Kind::kCrashed));
  EXPECT_TRUE(calls_of(state).empty());
  state.note_call(9, outcome_of(Outcome::Kind::kReturned));
  EXPECT_EQ(calls_of(state), (std::vector<std::uint64_t>{9}));
  state.forget_calls();
  EXPECT_TRUE(calls_of(state).empty());
}

TEST(SubjectState, IsGivenUpAfterManyHangs) {
  SubjectState state = state_of();
  for (int i = 0; i < kMostHangs; ++i) state.note_call(0, outcome_of(Outcome::Kind::kTimedOut));
  const Outcome refused = state.admit_case(*toy().block, Case{}, 0);
  EXPECT_EQ(refused.kind, Outcome::Kind::kNotRun);
  EXPECT_EQ(refused.message, "timed out 10 times before");
}

TEST(SubjectState, AFailedStartIsTheOutcomeOfEveryCase) {
  SubjectState state = state_of();
  state.subject.start_failure = outcome_of(Outcome::Kind::kCrashed);
  EXPECT_EQ(state.admit_case(*toy().block, Case{}, 0).kind, Outcome::Kind::kCrashed);
}

}  // namespace
}  // namespace deformdiff
