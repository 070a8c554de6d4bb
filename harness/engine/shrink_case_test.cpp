#include "engine/shrink_case.h"

#include "engine/scripted_runner_test.h"
#include "engine/third_block_test.h"

#include <atomic>
#include <utility>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Kind = Outcome::Kind;

const Signature kInterior{"third", "scripted", "out_of_bound", "output", "interior"};
const ReductionBudget kEnough{60, 2000};

SavedCase saved(const std::vector<float>& x) {
  SavedCase saved;
  saved.problem = third_case(x);
  saved.problem.provenance = {"fuzz", "plain", 3, 4};
  saved.signature = kInterior;
  return saved;
}

std::optional<ShrunkCase> shrunk(ScriptedSubject& scripted, const SavedCase& original,
                                 const ReductionBudget& budget = kEnough, const ShrinkHooks& hooks = {}) {
  Subject subject = scripted.open();
  return shrink_case(subject, third(), original, budget, 1, hooks);
}

TEST(ShrinkCase, ToTheSmallestWithACertificate) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  std::vector<std::size_t> sizes;
  ShrinkHooks hooks;
  hooks.on_smaller = [&](const SavedCase& smaller, const Comparison& comparison) {
    sizes.push_back(numbers_of(smaller.problem).size());
    EXPECT_EQ(comparison.verdict, Verdict::kOutOfBound);
    EXPECT_EQ(smaller.signature, kInterior);
  };
  const auto result = shrunk(scripted, saved({2, 13, 4}), kEnough, hooks);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), std::vector{13.F});
  EXPECT_EQ(result->saved.problem.provenance, (Provenance{"shrunk", "plain", 3, 4}));
  EXPECT_EQ(result->saved.signature, kInterior);
  EXPECT_EQ(result->saved.expectation, "out_of_bound");
  EXPECT_EQ(result->comparison.element, 0);
  EXPECT_TRUE(result->minimal);
  EXPECT_EQ(result->certificate_evaluations, 1);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 1}));
}

TEST(ShrinkCase, WhatIsAsSmallAsItGetsStaysAsItIs) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  const auto result = shrunk(scripted, saved({13}));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->saved.problem, saved({13}).problem) << "its provenance included";
  EXPECT_EQ(result->evaluations, 0);
  EXPECT_TRUE(result->minimal);
}

TEST(ShrinkCase, KeepsToTheSignatureAndHandsOnWhatFailsInAnotherWay) {
  // A 13 is wrong among others; alone it throws.
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    const bool alone = contains(c, 13) && numbers_of(c).size() == 1;
    return alone ? outcome_of(Kind::kThrew, "alone") : thirds(c, is_thirteen);
  });
  std::vector<std::pair<std::vector<float>, std::string>> others;
  ShrinkHooks hooks;
  hooks.on_other = [&](const Case& c, const Judgement& judgement) {
    others.emplace_back(numbers_of(c), judgement.signature.rule);
  };
  const auto result = shrunk(scripted, saved({13, 2, 4}), kEnough, hooks);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), (std::vector<float>{13, 1}));
  EXPECT_EQ(result->saved.signature, kInterior);
  EXPECT_TRUE(result->minimal);
  ASSERT_FALSE(others.empty());
  for (const auto& [x, rule] : others) {
    EXPECT_EQ(x, std::vector{13.F});
    EXPECT_EQ(rule, "threw");
  }
}

TEST(ShrinkCase, WithoutASignatureTheFailureOfTodayIsKept) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  SavedCase original = saved({13, 2});
  original.signature.reset();
  const auto result = shrunk(scripted, original);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->saved.signature, kInterior);
}

TEST(ShrinkCase, AnotherSubjectsFailureBecomesItsOwn) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  SavedCase original = saved({13, 2});
  original.signature->subject = "another";
  const auto result = shrunk(scripted, original);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->saved.signature, kInterior);
  EXPECT_EQ(result->saved.subject, "scripted");
}

TEST(ShrinkCase, NothingIfItDoesNotFailSoInAFreshWorker) {
  ScriptedSubject only_warm("third", [](const Case& c, std::span<const Case> before) {
    return before.empty() ? thirds(c) : thirds(c, is_thirteen);
  });
  Subject subject = only_warm.open();
  judge_case(subject, third(), third_case({1}), {}, {});
  EXPECT_FALSE(shrink_case(subject, third(), saved({13, 2}), kEnough, 1));
  EXPECT_EQ(only_warm.calls.size(), 2U);

  ScriptedSubject throws("third",
                         [](const Case&, std::span<const Case>) { return outcome_of(Kind::kThrew); });
  EXPECT_FALSE(shrunk(throws, saved({13, 2}))) << "another rule";
  ScriptedSubject refuses("third",
                          [](const Case&, std::span<const Case>) { return outcome_of(Kind::kUnsupported); });
  EXPECT_FALSE(shrunk(refuses, saved({13, 2})));
}

TEST(ShrinkCase, NothingOfASubjectThatDoesNotStart) {
  ScriptedSubject scripted("third", wrong_on_thirteen);
  scripted.start_failure = outcome_of(Kind::kCrashed, "on loading");
  SavedCase original = saved({13, 2});
  original.signature.reset();
  EXPECT_FALSE(shrunk(scripted, original));
  EXPECT_EQ(scripted.workers, 1);
}

TEST(ShrinkCase, WhatIsNotSeenEachTimeIsTriedAsOftenAsItsRateAsks) {
  int calls = 0;
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    return ++calls % 7 == 0 ? thirds(c, is_thirteen) : thirds(c);
  });
  SavedCase original = saved({2, 13, 4, 8});
  EXPECT_FALSE(shrunk(scripted, original)) << "one run shows nothing";
  original.reproduction = {2, 10};
  const auto result = shrunk(scripted, original);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), std::vector{13.F});
  EXPECT_TRUE(result->minimal);
}

TEST(ShrinkCase, TheResultFailsInAFreshWorker) {
  // Once it has been called, everything fails; before that a 13 among others.
  const auto fails = [](const Case& c, bool fresh) {
    return !fresh || (contains(c, 13) && numbers_of(c).size() > 1);
  };
  ScriptedSubject scripted("third", [=](const Case& c, std::span<const Case> before) {
    return thirds(c, [&](float) { return fails(c, before.empty()); });
  });
  const auto result = shrunk(scripted, saved({2, 13, 4}));
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem).size(), 2U);
  EXPECT_TRUE(contains(result->saved.problem, 13));
  EXPECT_TRUE(result->minimal);
  EXPECT_EQ(result->comparison.verdict, Verdict::kOutOfBound);
  const GivenCall& last = scripted.calls.back();
  EXPECT_EQ(numbers_of(last.problem), numbers_of(result->saved.problem));
  EXPECT_NE(last.worker, scripted.calls[scripted.calls.size() - 2].worker);
}

TEST(ShrinkCase, CallsBeforeItAreShrunkToo) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case> before) {
    const bool spoiled = std::ranges::any_of(before, [](const Case& call) { return contains(call, 11); });
    return thirds(c, [=](float number) { return spoiled && number == 13; });
  });
  SavedCase original = saved({13, 2});
  original.earlier_calls = {third_case({5, 6}), third_case({11, 7}), third_case({8})};
  ShrinkHooks hooks;
  hooks.on_smaller = [](const SavedCase& smaller, const Comparison&) {
    // A sequence is tried without what other sequences left behind.
    const auto& earlier = smaller.earlier_calls;
    EXPECT_TRUE(earlier.empty() ||
                std::ranges::any_of(earlier, [](const Case& call) { return contains(call, 11); }));
  };
  const auto result = shrunk(scripted, original, kEnough, hooks);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), std::vector{13.F});
  ASSERT_EQ(result->saved.earlier_calls.size(), 1U);
  EXPECT_EQ(numbers_of(result->saved.earlier_calls[0]), std::vector{11.F});
  EXPECT_TRUE(result->minimal);
}

TEST(ShrinkCase, AfterEarlierCallsOtherFailuresAreNotHandedOn) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case> before) {
    if (numbers_of(c).size() == 1) return outcome_of(Kind::kThrew);
    const bool spoiled = !before.empty() && contains(before.back(), 11);
    return thirds(c, [=](float number) { return spoiled && number == 13; });
  });
  SavedCase original = saved({13, 2});
  original.earlier_calls = {third_case({11, 7})};
  ShrinkHooks hooks;
  hooks.on_other = [](const Case&, const Judgement&) { ADD_FAILURE(); };
  const auto result = shrunk(scripted, original, kEnough, hooks);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), (std::vector<float>{13, 1}));
}

TEST(ShrinkCase, ItGoesOnWithASmallerFailureOfAnotherClass) {
  // With a 0.5, 13 is wrong among three numbers; among fewer the 0.5 itself.
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    const float wrong = contains(c, 0.5F) && numbers_of(c).size() > 2 ? 13 : 0.5F;
    return thirds(c, [=](float number) { return number == wrong; });
  });
  ShrinkHooks hooks;
  hooks.on_other = [](const Case&, const Judgement&) { ADD_FAILURE(); };
  const auto result = shrunk(scripted, saved({13, 0.5F, 4}), kEnough, hooks);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), std::vector{0.5F});
  EXPECT_EQ(result->saved.signature->element_class, "border");
  EXPECT_EQ(result->saved.signature->rule, "out_of_bound");
  EXPECT_TRUE(result->minimal);
}

TEST(ShrinkCase, AnotherClassThatOnlyFailsAmongOtherCallsIsLeft) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case> before) {
    if (!contains(c, 0.5F)) return thirds(c);
    const float wrong = numbers_of(c).size() > 2 ? 13 : 0.5F;
    return thirds(c, [&](float number) { return number == wrong && (wrong == 13 || !before.empty()); });
  });
  const auto result = shrunk(scripted, saved({13, 0.5F, 4}));
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), (std::vector<float>{13, 0.5F, 1}));
  EXPECT_EQ(result->saved.signature, kInterior);
  EXPECT_TRUE(result->minimal);
}

TEST(ShrinkCase, AHangIsShrunkByRunnersInAHurry) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    return contains(c, 13) ? outcome_of(Kind::kTimedOut) : thirds(c);
  });
  SavedCase original = saved({13, 2, 4});
  original.signature = Signature{"third", "scripted", "timed_out", "", "structure"};
  Subject subject = scripted.open({.case_timeout_seconds = 60});
  const auto result = shrink_case(subject, third(), original, kEnough, 1);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), std::vector{13.F});
  EXPECT_TRUE(result->minimal);
  ASSERT_EQ(scripted.limits.size(), 2U);
  EXPECT_EQ(scripted.limits[1].case_timeout_seconds, 4);
  // Whether it hangs at all and whether the result does is asked with patience.
  for (std::size_t i = 0; i < scripted.calls.size(); ++i) {
    const bool patient = i == 0 || i + 1 == scripted.calls.size();
    EXPECT_EQ(scripted.calls[i].timeout, patient ? 60 : 4) << "call " << i;
  }
}

TEST(ShrinkCase, AHurriedRunnerHasNoMoreTimeThanAPatientOne) {
  for (const auto& [patient, hurried] : {std::pair{0.5, 0.5}, {10.0, 1.0}}) {
    ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
      return contains(c, 13) ? outcome_of(Kind::kTimedOut) : thirds(c);
    });
    SavedCase original = saved({13, 2});
    original.signature.reset();
    Subject subject = scripted.open({.case_timeout_seconds = patient});
    EXPECT_TRUE(shrink_case(subject, third(), original, kEnough, 1));
    EXPECT_EQ(scripted.limits.at(1).case_timeout_seconds, hurried);
  }
}

TEST(ShrinkCase, WhatIsOnlySlowIsNoHang) {
  // Alone the 13 takes longer than a hurried runner waits, and no longer than a patient one does.
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    const bool slow = numbers_of(c).size() == 1 && scripted.calls.back().timeout < 60;
    const bool hangs = contains(c, 13) && (slow || numbers_of(c).size() > 1);
    return hangs ? outcome_of(Kind::kTimedOut) : thirds(c);
  });
  SavedCase original = saved({13, 2});
  original.signature.reset();
  Subject subject = scripted.open({.case_timeout_seconds = 60});
  const auto result = shrink_case(subject, third(), original, kEnough, 1);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->saved.problem, original.problem);
  EXPECT_EQ(result->comparison.verdict, Verdict::kTimedOut);
  EXPECT_FALSE(result->minimal);
}

TEST(ShrinkCase, AnInterruptEndsItWithWhatWasReachedConfirmed) {
  std::atomic<bool> interrupted{false};
  ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
    interrupted = interrupted || numbers_of(c).size() == 2;
    return thirds(c, is_thirteen);
  });
  const Deadline end{.interrupted = &interrupted};
  Subject subject = scripted.open({.end = end});
  const auto result = shrink_case(subject, third(), saved({2, 13, 4, 8}), {60, 2000, end}, 1);
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), (std::vector<float>{13, 4, 8}));
  EXPECT_FALSE(result->minimal);
  const GivenCall& last = scripted.calls.back();
  EXPECT_EQ(numbers_of(last.problem).size(), 3U);
  EXPECT_NE(last.worker, scripted.calls[scripted.calls.size() - 2].worker) << "confirmed in a fresh worker";
}

TEST(ShrinkCase, EndsWithItsBudget) {
  ScriptedSubject two("third", wrong_on_thirteen);
  auto result = shrunk(two, saved({2, 13, 4, 8}), {60, 1});
  ASSERT_TRUE(result);
  EXPECT_EQ(numbers_of(result->saved.problem), (std::vector<float>{13, 4, 8}));
  EXPECT_EQ(result->evaluations, 1);
  EXPECT_FALSE(result->minimal);

  for (const ReductionBudget& none : {ReductionBudget{60, 0}, ReductionBudget{0, 2000}}) {
    ScriptedSubject scripted("third", wrong_on_thirteen);
    result = shrunk(scripted, saved({2, 13, 4, 8}), none);
    ASSERT_TRUE(result);
    EXPECT_EQ(numbers_of(result->saved.problem).size(), 4U);
    EXPECT_EQ(result->evaluations, 0);
    EXPECT_FALSE(result->minimal);
  }
}

}  // namespace
}  // namespace deformdiff
