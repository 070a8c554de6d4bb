#include "engine/investigate.h"

#include "core/case_file.h"
#include "engine/scripted_session_test.h"
#include "engine/signature.h"
#include "engine/stage_judge.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Kind = Outcome::Kind;

class Investigate : public ScriptedSessionTest {
 protected:
  /// Case `index` of the stream as the run met it: with this outcome, after the cases `earlier`.
  static Failure failure_of(std::uint64_t index, const Outcome& outcome,
                            std::vector<std::uint64_t> earlier = {}) {
    Failure failure;
    failure.index = index;
    failure.problem = third().generator->generate(3, {}, index);
    failure.judgement.outcome = outcome;
    failure.judgement.comparison = judge_stages(third(), failure.problem, outcome, {}, {}).comparison;
    failure.judgement.signature = signature_of("third", "scripted", failure.judgement.comparison);
    failure.earlier = std::move(earlier);
    return failure;
  }

  /// Case 3, wrong where it is 13.
  static Failure thirteen(std::vector<std::uint64_t> earlier = {}) {
    return failure_of(3, thirds(third().generator->generate(3, {}, 3), is_thirteen), std::move(earlier));
  }

  static Signature signature(const std::string& rule, const std::string& output,
                             const std::string& element_class) {
    return {"third", "scripted", rule, output, element_class};
  }

  Finding only_finding() {
    EXPECT_EQ(investigator_.size(), 1U);
    return investigator_.findings().at(0);
  }

  Investigator investigator_{third(), options_, listener_};
};

TEST_F(Investigate, AFailureIsConfirmedSavedAndShrunk) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  const Finding finding = only_finding();
  EXPECT_EQ(finding.signature, signature("out_of_bound", "output", "interior"));
  EXPECT_EQ(finding.count, 1);
  EXPECT_EQ(finding.first_case, 3U);
  EXPECT_EQ(finding.reproduction_rate, 1);
  EXPECT_EQ(finding.earlier_calls, 0U);
  EXPECT_EQ(finding.original_elements, 4);
  EXPECT_EQ(finding.shrunk_elements, 1);
  EXPECT_TRUE(finding.minimal);
  EXPECT_GT(finding.evaluations, 0);
  EXPECT_EQ(finding.certificate_evaluations, 1) << "a 1 in place of the 13";
  EXPECT_EQ(finding.decade, 3);

  EXPECT_EQ(files(), std::vector{finding.case_path.filename().string()});
  const SavedCase saved = read_case(finding.case_path);
  EXPECT_EQ(numbers_of(saved.problem), std::vector{13.F});
  EXPECT_EQ(saved.problem.provenance.generator, "shrunk");
  EXPECT_EQ(saved.problem.provenance.index, 3U);
  EXPECT_EQ(saved.expectation, "out_of_bound");
  EXPECT_EQ(saved.subject, "scripted");
  EXPECT_EQ(saved.signature, finding.signature);
  EXPECT_EQ(saved.note, finding.one_line);
}

TEST_F(Investigate, TheUnshrunkCaseIsSavedBeforeItIsShrunk) {
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    if (scripted.calls.size() == kConfirmations + 1) {
      EXPECT_EQ(files().size(), 1U);
      EXPECT_EQ(listener_.heard.size(), 1U);
    }
    return thirds(c, is_thirteen);
  });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  ASSERT_GT(listener_.heard.size(), 2U);
  EXPECT_EQ(listener_.heard.front().shrunk_elements, 4);
  EXPECT_EQ(listener_.heard.back().shrunk_elements, 1);
}

TEST_F(Investigate, WithoutShrinkingItIsOnlyConfirmed) {
  options_.shrink = false;
  ScriptedSubject scripted("third", wrong_on_thirteen);
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  EXPECT_EQ(only_finding().shrunk_elements, 4);
  EXPECT_FALSE(only_finding().minimal);
  ASSERT_EQ(scripted.calls.size(), static_cast<std::size_t>(kConfirmations));
  for (std::size_t i = 1; i < scripted.calls.size(); ++i) {
    EXPECT_NE(scripted.calls[i].worker, scripted.calls[i - 1].worker) << "each in a fresh worker";
  }
}

TEST_F(Investigate, TheSubjectIsLeftWithoutAWorker) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  SubjectState state = state_of(scripted);
  state.note_call(2, outcome_of(Kind::kReturned));
  investigator_.investigate(state, thirteen());
  EXPECT_TRUE(state.calls_of_worker().empty());
  const std::int64_t last = scripted.calls.back().worker;
  judge_case(state.subject, third(), third_case({1}), {}, {});
  EXPECT_NE(scripted.calls.back().worker, last);
}

TEST_F(Investigate, AFlakyFailureIsShrunkAndSavedWithItsRate) {
  int calls = 0;
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    return ++calls % 3 == 0 ? thirds(c, is_thirteen) : thirds(c);
  });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  const Finding finding = only_finding();
  EXPECT_NEAR(finding.reproduction_rate, 1.0 / 3, 0.1);
  EXPECT_EQ(finding.reproduction_runs, kFlakyRuns);
  EXPECT_TRUE(finding.other_bits);
  EXPECT_EQ(finding.original_elements, 4);
  EXPECT_EQ(finding.shrunk_elements, 1);
  EXPECT_TRUE(finding.minimal);
  EXPECT_EQ(finding.count, 1);
  const SavedCase saved = read_case(finding.case_path);
  EXPECT_EQ(numbers_of(saved.problem), std::vector{13.F});
  ASSERT_TRUE(saved.reproduction);
  EXPECT_EQ(saved.reproduction->runs, kFlakyRuns);
  EXPECT_EQ(saved.reproduction->rate(), finding.reproduction_rate);
  EXPECT_EQ(saved.note, finding.one_line);
  EXPECT_NE(saved.note.find("a second run on the same inputs gives other bits, flaky: seen in "),
            std::string::npos)
      << saved.note;
}

TEST_F(Investigate, WhatComesOnceInManyRunsIsSeenAgainInOneWorker) {
  int calls = 0;
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    return ++calls % 37 == 0 ? thirds(c, is_thirteen) : thirds(c);
  });
  options_.shrink = false;
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  const Finding finding = only_finding();
  EXPECT_NEAR(finding.reproduction_rate, 1.0 / 37, 0.01);
  EXPECT_TRUE(finding.other_bits);
  EXPECT_EQ(scripted.restarts, kFlakyRuns + 2) << "for each of the first, the rest, and at the end";
}

TEST_F(Investigate, ALargerCaseIsWorthMoreThanASmallOneThatIsNotSeenAgain) {
  // Half of the time, until shrinking has come to its end.
  int calls = 0, of_one = 0;
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    if (numbers_of(c).size() == 1 && contains(c, 13)) {
      return ++of_one <= 2 ? thirds(c, is_thirteen) : thirds(c);
    }
    return ++calls % 2 == 0 ? thirds(c, is_thirteen) : thirds(c);
  });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  const Finding finding = only_finding();
  EXPECT_EQ(finding.shrunk_elements, 4);
  EXPECT_EQ(finding.reproduction_rate, 0.5);
  EXPECT_EQ(numbers_of(read_case(finding.case_path).problem).size(), 4U);
}

TEST_F(Investigate, AFailureThatNeverComesBackIsSavedAsItWasMet) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen({0, 1}));
  const Finding finding = only_finding();
  EXPECT_EQ(finding.reproduction_rate, 0);
  EXPECT_EQ(finding.reproduction_runs, kFlakyRuns + kRepeats);
  EXPECT_FALSE(finding.other_bits);
  EXPECT_NE(finding.one_line.find("not seen again in 210 runs"), std::string::npos) << finding.one_line;
  EXPECT_EQ(read_case(finding.case_path).reproduction, (Reproduction{0, 210}));
  EXPECT_EQ(finding.earlier_calls, 0U);
  EXPECT_EQ(finding.shrunk_elements, 4);
  EXPECT_EQ(finding.decade, 3);
}

TEST_F(Investigate, AtTheEndOfTheRunAFailureIsSavedWithoutBeingRunAgain) {
  std::atomic<bool> interrupted{false};
  options_.limits.end.interrupted = &interrupted;
  ScriptedSubject scripted("third", wrong_on_thirteen);
  SubjectState state = state_of(scripted);
  interrupted = true;
  investigator_.investigate(state, thirteen({0, 1}));
  EXPECT_TRUE(scripted.calls.empty());
  const Finding finding = only_finding();
  EXPECT_EQ(finding.reproduction_runs, 0);
  EXPECT_EQ(finding.reproduction_rate, 0);
  EXPECT_EQ(finding.shrunk_elements, 4);
  EXPECT_NE(finding.one_line.find("not run again: the time was up"), std::string::npos) << finding.one_line;
  EXPECT_EQ(files().size(), 1U);
}

TEST_F(Investigate, AnInterruptEndsConfirmingAndSearching) {
  // Never again, neither alone nor after the calls before; the user has enough after four runs.
  std::atomic<bool> interrupted{false};
  options_.limits.end.interrupted = &interrupted;
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    interrupted = scripted.calls.size() >= 4;
    return thirds(c);
  });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen({0, 1, 2}));
  EXPECT_EQ(scripted.calls.size(), 4U);
  EXPECT_EQ(only_finding().reproduction_runs, 4);
  EXPECT_NE(only_finding().one_line.find("not seen again in 4 runs"), std::string::npos);
}

TEST_F(Investigate, AFindingTakesAtMostHalfOfTheTimeThatIsLeft) {
  options_.limits.end = Deadline().within(0.4);
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return thirds(c);
  });
  SubjectState state = state_of(scripted);
  const Stopwatch watch;
  investigator_.investigate(state, thirteen());
  EXPECT_LT(watch.seconds(), 0.35);
  EXPECT_LT(only_finding().reproduction_runs, kFlakyRuns);
}

/// Wrong on 13 after a call with an 11.
Outcome spoiled_by_eleven(const Case& c, std::span<const Case> before) {
  const bool spoiled = std::ranges::any_of(before, [](const Case& call) { return contains(call, 11); });
  return thirds(c, [=](float number) { return spoiled && is_thirteen(number); });
}

TEST_F(Investigate, AFailureThatNeedsEarlierCallsIsSavedWithThem) {
  ScriptedSubject scripted("third", spoiled_by_eleven);
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen({0, 1, 2}));
  const Finding finding = only_finding();
  EXPECT_EQ(finding.reproduction_rate, 1);
  EXPECT_EQ(finding.earlier_calls, 1U);
  EXPECT_TRUE(finding.minimal);
  const SavedCase saved = read_case(finding.case_path);
  EXPECT_EQ(numbers_of(saved.problem), std::vector{13.F});
  ASSERT_EQ(saved.earlier_calls.size(), 1U);
  EXPECT_EQ(numbers_of(saved.earlier_calls[0]), std::vector{11.F});
}

TEST_F(Investigate, EarlierCallsAreThoseOfTheStream) {
  options_.shrink = false;
  ScriptedSubject scripted("third", spoiled_by_eleven);
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen({0, 1, 2}));
  EXPECT_EQ(read_case(only_finding().case_path).earlier_calls,
            std::vector{third().generator->generate(options_.seed, {}, 1)});
}

TEST_F(Investigate, ASubjectThatCannotStartIsNotAskedAgain) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  scripted.start_failure = outcome_of(Kind::kCrashed, "on loading");
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, failure_of(0, scripted.start_failure));
  EXPECT_EQ(only_finding().signature, signature("crashed", "", "structure"));
  EXPECT_EQ(only_finding().reproduction_rate, 1);
  EXPECT_TRUE(scripted.calls.empty());
  EXPECT_EQ(scripted.restarts, 1) << "only at the end";
}

/// Wrong on 13; a single number kills it.
Outcome wrong_or_dead(const Case& c, std::span<const Case>) {
  return numbers_of(c).size() == 1 ? outcome_of(Kind::kCrashed, "killed") : thirds(c, is_thirteen);
}

TEST_F(Investigate, AFailureMetOnlyWhileShrinkingIsAFindingOfNoCase) {
  ScriptedSubject scripted("third", wrong_or_dead);
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  const std::vector<Finding> findings = investigator_.findings();
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].signature, signature("out_of_bound", "output", "interior"));
  EXPECT_EQ(findings[0].count, 1);
  EXPECT_EQ(findings[0].shrunk_elements, 2);
  EXPECT_EQ(findings[1].signature, signature("crashed", "", "structure"));
  EXPECT_EQ(findings[1].count, 0);
  EXPECT_EQ(findings[1].first_case, 3U);
  EXPECT_EQ(findings[1].shrunk_elements, 1);
  EXPECT_EQ(files().size(), 2U);
  investigator_.investigate(state, failure_of(4, outcome_of(Kind::kCrashed, "killed")));
  EXPECT_EQ(investigator_.findings()[1].count, 1);
}

TEST_F(Investigate, OfARuleThatShrinkingMeetsOneFailureIsEnough) {
  // 13 is wrong beside 0.5; alone both become NaN, each of a class of its own.
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    if (numbers_of(c).size() > 1) {
      return thirds(c, [&](float number) { return is_thirteen(number) && contains(c, 0.5F); });
    }
    Outcome outcome = thirds(c);
    if (contains(c, 13) || contains(c, 0.5F)) {
      const std::vector<float> nan{std::numeric_limits<float>::quiet_NaN()};
      outcome.outputs[0].tensor = Tensor::of<float>(DType::kFloat32, {1}, nan);
    }
    return outcome;
  });
  SubjectState state = state_of(scripted);
  Failure failure = thirteen();
  failure.problem = third_case({13, 0.5F, 4, 8});
  investigator_.investigate(state, failure);
  const std::vector<Finding> findings = investigator_.findings();
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].shrunk_elements, 2);
  EXPECT_EQ(findings[1].signature.rule, "nonfinite_mismatch");
}

TEST_F(Investigate, WhatOnlyCallsMadeWhileShrinkingBroughtAboutIsNoFinding) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case> before) {
    const bool dies = !before.empty() && !contains(c, 13);
    return dies ? outcome_of(Kind::kCrashed) : thirds(c, is_thirteen);
  });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  EXPECT_EQ(only_finding().signature.rule, "out_of_bound");
  EXPECT_EQ(only_finding().shrunk_elements, 1);
}

TEST_F(Investigate, WhatShrinkingMeetsOfAKnownFailureIsNotCounted) {
  // Among other calls a single number kills it; alone it is wrong as 13 always is.
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case> before) {
    return before.empty() ? thirds(c, is_thirteen) : wrong_or_dead(c, before);
  });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, thirteen());
  EXPECT_EQ(only_finding().signature.rule, "out_of_bound");
  EXPECT_EQ(only_finding().count, 1);
}

TEST_F(Investigate, WhatFailsInAnotherWayAloneIsThatFailure) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    return contains(c, 13) ? outcome_of(Kind::kThrew, "thirteen") : thirds(c);
  });
  SubjectState state = state_of(scripted);
  const Failure failure = thirteen();
  investigator_.investigate(state, failure);
  EXPECT_EQ(only_finding().signature, signature("threw", "", "structure"));
  EXPECT_TRUE(investigator_.is_known(failure.judgement.signature)) << "both lead to it";
  investigator_.investigate(state, failure);
  EXPECT_EQ(only_finding().count, 2);
}

TEST_F(Investigate, WhatTurnsOutToBeKnownIsCountedThere) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    return contains(c, 13) ? outcome_of(Kind::kThrew, "thirteen") : thirds(c);
  });
  SubjectState state = state_of(scripted);
  investigator_.investigate(state, failure_of(3, outcome_of(Kind::kThrew, "thirteen")));
  investigator_.investigate(state, thirteen());
  EXPECT_EQ(only_finding().signature.rule, "threw");
  EXPECT_EQ(only_finding().count, 2);
  const std::size_t calls = scripted.calls.size();
  investigator_.investigate(state, thirteen());
  EXPECT_EQ(only_finding().count, 3);
  EXPECT_EQ(scripted.calls.size(), calls) << "it is not confirmed again";
}

TEST_F(Investigate, AQuestionCountsNothing) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  SubjectState state = state_of(scripted);
  const Failure failure = thirteen();
  EXPECT_FALSE(investigator_.is_known(failure.judgement.signature));
  investigator_.investigate(state, failure);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(investigator_.is_known(failure.judgement.signature));
  EXPECT_EQ(only_finding().count, 1);
}

/// With a 0.5, wrong on 13 among three numbers and more; among fewer on the 0.5 itself.
Outcome wrong_by_size(const Case& c, std::span<const Case>) {
  const float wrong = contains(c, 0.5F) && numbers_of(c).size() > 2 ? 13 : 0.5F;
  return thirds(c, [=](float number) { return number == wrong; });
}

Failure with_a_half(Failure failure) {
  failure.problem = third_case({13, 0.5F, 4, 8});
  failure.problem.provenance = {"fuzz", "plain", 3, 3};
  return failure;
}

TEST_F(Investigate, TheFindingIsFiledUnderTheClassOfItsSmallestCase) {
  ScriptedSubject scripted("third", wrong_by_size);
  SubjectState state = state_of(scripted);
  const Failure failure = with_a_half(thirteen());
  investigator_.investigate(state, failure);
  const Finding finding = only_finding();
  EXPECT_EQ(finding.signature, signature("out_of_bound", "output", "border"));
  EXPECT_EQ(finding.shrunk_elements, 1);
  EXPECT_TRUE(finding.minimal);
  EXPECT_TRUE(investigator_.is_known(failure.judgement.signature));
  EXPECT_EQ(files(), std::vector{finding.case_path.filename().string()}) << "the file of before is gone";
  EXPECT_EQ(read_case(finding.case_path).signature, finding.signature);
  EXPECT_EQ(listener_.heard.back().signature, finding.signature);
}

TEST_F(Investigate, WhatShrinksToAKnownFailureIsCountedThere) {
  ScriptedSubject scripted("third", wrong_by_size);
  SubjectState state = state_of(scripted);
  Failure half = met(state, third(), third_case({0.5F}));
  half.index = 9;
  investigator_.investigate(state, half);
  investigator_.investigate(state, with_a_half(thirteen()));
  EXPECT_EQ(only_finding().signature, signature("out_of_bound", "output", "border"));
  EXPECT_EQ(only_finding().count, 2);
  EXPECT_EQ(only_finding().first_case, 3U);
  EXPECT_EQ(files().size(), 1U);
}

TEST_F(Investigate, TheDecadeIsThatOfTheSavedCase) {
  // In the run a thousand times worse than alone, and gone once shrinking begins.
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    return scripted.calls.size() <= kConfirmations ? thirds(c, is_thirteen) : thirds(c);
  });
  SubjectState state = state_of(scripted);
  Failure failure = thirteen();
  failure.judgement.comparison.ratio *= 1000;
  investigator_.investigate(state, failure);
  EXPECT_EQ(only_finding().decade, 3);
  EXPECT_EQ(only_finding().shrunk_elements, 4);
}

}  // namespace
}  // namespace deformdiff
