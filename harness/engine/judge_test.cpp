#include "engine/judge.h"

#include "engine/scripted_runner_test.h"
#include "engine/third_block_test.h"

#include <functional>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Kind = Outcome::Kind;

Outcome right(const Case& c, std::span<const Case>) {
  return thirds(c);
}

Case toy_case() {
  return {
      "toy", {}, {{"x", Tensor::of<float>(DType::kFloat32, {2, 2}, std::vector<float>{9, 18, 27, 36})}}, {}};
}

Outcome admitted(const SubjectInfo& info, const Case& c, std::int64_t memory_limit = 0) {
  return admit(info, *third().block, c, memory_limit);
}

TEST(Admit, WhatTheDeclarationAllows) {
  SubjectInfo info;
  info.blocks = {"third"};
  info.supports = "N%4==0";
  info.contract.im2col_step = Im2colStep::kDivides;
  EXPECT_EQ(admitted(info, third_case({1, 2, 3, 4})).kind, Kind::kReturned);
}

TEST(Admit, EveryRefusalHasItsReason) {
  const std::vector<double> doubles{1, 2, 3};
  const Case three = third_case({1, 2, 3});
  Case wide = three;
  wide.inputs[0].tensor = Tensor::of<double>(DType::kFloat64, {3}, doubles);
  Case mixed = three;
  mixed.inputs[0].tensor = convert(mixed.inputs[0].tensor, DType::kBFloat16);
  mixed.inputs.push_back({"y", three.inputs[0].tensor});
  struct Refusal {
    std::function<void(SubjectInfo&)> declare;
    Case c;
    Kind kind;
    std::string reason;
  };
  const std::vector<Refusal> refusals{
      {[](SubjectInfo& info) { info.not_run = "no CUDA device"; }, three, Kind::kNotRun, "no CUDA device"},
      {[](SubjectInfo& info) { info.blocks = {"other"}; }, three, Kind::kUnsupported, "block third"},
      {[](SubjectInfo& info) { info.dtypes = {DType::kFloat32}; }, wide, Kind::kUnsupported, "float64"},
      {[](SubjectInfo&) {}, mixed, Kind::kUnsupported, "mixed_bfloat16"},
      {[](SubjectInfo& info) { info.mixed_dtypes = {DType::kFloat16}; }, mixed, Kind::kUnsupported,
       "mixed_bfloat16"},
      {[](SubjectInfo& info) { info.supports = "N<=4,N%2==0"; }, three, Kind::kUnsupported, "needs N%2==0"},
      {[](SubjectInfo& info) { info.contract.im2col_step = Im2colStep::kDivides; }, three, Kind::kUnsupported,
       "im2col_step does not divide N"}};
  for (const Refusal& refusal : refusals) {
    ScriptedSubject scripted("third", right);
    refusal.declare(scripted.info);
    Subject subject = scripted.open();
    const Judgement judgement = judge_case(subject, third(), refusal.c, {}, {});
    EXPECT_EQ(judgement.outcome.kind, refusal.kind) << refusal.reason;
    EXPECT_EQ(judgement.outcome.message, refusal.reason);
    EXPECT_EQ(judgement.comparison.reason, refusal.reason);
    EXPECT_FALSE(is_finding(judgement.comparison.verdict)) << refusal.reason;
    EXPECT_TRUE(scripted.calls.empty()) << refusal.reason;
  }
}

TEST(Admit, MemoryIsThatOfTheInputsAndOfTheWork) {
  SubjectInfo info;
  info.blocks = {"third"};
  const Case c = third_case({1, 2, 3, 4});
  constexpr std::int64_t kNeeded = 16 + ThirdBlock::kWorkingMemory;
  EXPECT_EQ(admitted(info, c, kNeeded).kind, Kind::kReturned);
  EXPECT_EQ(admitted(info, c, kNeeded - 1).kind, Kind::kNotRun);
  EXPECT_EQ(admitted(info, c, kNeeded - 1).message, "memory");
  EXPECT_EQ(admitted(info, c, 0).kind, Kind::kReturned) << "no limit";
}

TEST(CallMode, TwiceWhereDeterminismIsDeclared) {
  SubjectInfo info;
  const std::vector<Case> cases{third_case({1})};
  for (const Deterministic promise : {Deterministic::kUnknown, Deterministic::kNo, Deterministic::kYes}) {
    info.contract.deterministic = promise;
    EXPECT_EQ(call_mode(info, *third().block, cases).twice, promise == Deterministic::kYes);
  }
}

TEST(CallMode, AtOnceUnlessDeclaredOtherwise) {
  SubjectInfo info;
  const std::vector<Case> cases{third_case({1})};
  EXPECT_TRUE(call_mode(info, *third().block, cases).at_once);
  info.calls = Concurrency::kOneAtATime;
  EXPECT_FALSE(call_mode(info, *third().block, cases).at_once);
}

TEST(CallMode, AModelIsCalledInNoOtherWay) {
  const CallMode mode = call_mode({}, *toy().block, std::vector{toy_case()});
  EXPECT_FALSE(mode.at_once || mode.packed);
}

TEST(CallMode, TappedWhereStagesComputeWhatIsNoOutput) {
  EXPECT_FALSE(call_mode({}, *third().block, std::vector{third_case({1})}).tap);
  EXPECT_TRUE(call_mode({}, *toy().block, std::vector{toy_case()}).tap);
}

TEST(OpenSubject, IsCalledAndDeclaredAsTheAddressSays) {
  ScriptedSubject scripted("third", right);
  scripted.info.name = "as the worker knows it";
  SubjectSpec spec = scripted.spec("as typed");
  spec.declare = [](SubjectInfo& info) { info.supports = "N>1"; };
  const Subject subject = open_subject(std::move(spec), {.case_timeout_seconds = 7});
  EXPECT_TRUE(subject.started());
  EXPECT_EQ(subject.info.name, "as typed");
  EXPECT_EQ(subject.info.supports, "N>1");
  EXPECT_EQ(subject.limits.case_timeout_seconds, 7);
  EXPECT_EQ(scripted.limits.front().case_timeout_seconds, 7);
}

TEST(OpenSubject, AWorkerThatKnowsNoSuchSubjectIsBadInput) {
  ScriptedSubject scripted("third", right);
  scripted.start_failure = outcome_of(Kind::kNotRun, "the worker knows no subject 'x'");
  EXPECT_THROW(scripted.open(), InputError);
}

TEST(JudgeCase, AFailedStartIsTheOutcome) {
  ScriptedSubject scripted("third", right);
  scripted.start_failure = outcome_of(Kind::kCrashed, "on loading: left with exit code 1");
  Subject subject = scripted.open();
  const Judgement judgement = judge_case(subject, third(), third_case({3}), {}, {});
  EXPECT_EQ(judgement.comparison.verdict, Verdict::kCrashed);
  EXPECT_EQ(judgement.comparison.reason, "on loading: left with exit code 1");
  EXPECT_EQ(judgement.signature.element_class, "structure");
  EXPECT_TRUE(scripted.calls.empty());
}

TEST(JudgeCase, IsJudgedByWhatTheSubjectDeclares) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    Outcome outcome = thirds(c);
    outcome.ran_twice = true;
    outcome.repeated_bits = false;
    return outcome;
  });
  Subject subject = scripted.open();
  EXPECT_EQ(judge_case(subject, third(), third_case({3}), {}, {}).comparison.verdict, Verdict::kAgree);
  EXPECT_FALSE(scripted.calls.back().mode.twice);
  subject.info.contract.deterministic = Deterministic::kYes;
  EXPECT_EQ(judge_case(subject, third(), third_case({3}), {}, {}).comparison.verdict,
            Verdict::kNondeterministic);
  EXPECT_TRUE(scripted.calls.back().mode.twice);
}

TEST(JudgeCase, WhatOtherCallsMadeIsJudgedToo) {
  for (const auto& [outputs, how] :
       {std::pair{&Outcome::at_once, "called by two threads at once: "},
        std::pair{&Outcome::packed, "called on inputs that share storage, in inference mode but for gradients: "}}) {
    float factor = 1;
    ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
      Outcome outcome = thirds(c);
      outcome.*outputs = thirds(third_case({3 * factor})).outputs;
      return outcome;
    });
    Subject subject = scripted.open();
    EXPECT_EQ(judge_case(subject, third(), third_case({3}), {}, {}).comparison.verdict, Verdict::kAgree);
    factor = 2;
    const Comparison wrong = judge_case(subject, third(), third_case({3}), {}, {}).comparison;
    EXPECT_EQ(wrong.verdict, Verdict::kOutOfBound);
    EXPECT_TRUE(wrong.reason.starts_with(std::string(how) + "output[0] = 2, wanted 1")) << wrong.reason;
  }
}

TEST(JudgeCase, WhatHasFailedOnceIsNotAskedWhetherItCanTell) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
  Subject subject = scripted.open();
  EXPECT_EQ(judge_case(subject, third(), third_case({0}), {}, {}).comparison.verdict, Verdict::kVacuous);
  const JudgeOptions has_failed{.has_failed = true};
  EXPECT_EQ(judge_case(subject, third(), third_case({0}), {}, has_failed).comparison.verdict,
            Verdict::kAgree);
  // The other rules are.
  ScriptedSubject wrong(
      "third", [](const Case& c, std::span<const Case>) { return thirds(c, [](float) { return true; }); });
  Subject other = wrong.open();
  EXPECT_EQ(judge_case(other, third(), third_case({3}), {}, has_failed).comparison.verdict,
            Verdict::kOutOfBound);
}

/// Wrong after a call with a 7.
Outcome spoiled_by_seven(const Case& c, std::span<const Case> before) {
  const bool spoiled = std::ranges::any_of(before, [](const Case& call) { return contains(call, 7); });
  return thirds(c, [=](float) { return spoiled; });
}

TEST(JudgeCase, EarlierCallsAreMadeFirstInAFreshWorker) {
  ScriptedSubject scripted("third", spoiled_by_seven);
  Subject subject = scripted.open();
  judge_case(subject, third(), third_case({1}), {}, {});
  const std::vector<Case> earlier{third_case({7}), third_case({8})};
  const Judgement judgement = judge_case(subject, third(), third_case({9}), earlier, {});
  EXPECT_EQ(judgement.comparison.verdict, Verdict::kOutOfBound);
  ASSERT_EQ(scripted.calls.size(), 4U);
  const std::vector<float> numbers{1, 7, 8, 9};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(numbers_of(scripted.calls[i].problem), std::vector{numbers[i]});
    EXPECT_EQ(scripted.calls[i].worker, i == 0 ? 1 : 2);
  }
}

TEST(JudgeCase, WithoutEarlierCallsThePresentWorkerIsUsed) {
  ScriptedSubject scripted("third", spoiled_by_seven);
  Subject subject = scripted.open();
  judge_case(subject, third(), third_case({7}), {}, {});
  EXPECT_EQ(judge_case(subject, third(), third_case({9}), {}, {}).comparison.verdict, Verdict::kOutOfBound);
  EXPECT_EQ(scripted.workers, 1);
}

TEST(JudgeCaseHere, EarlierCallsAreMadeInThePresentWorker) {
  ScriptedSubject scripted("third", spoiled_by_seven);
  Subject subject = scripted.open();
  judge_case(subject, third(), third_case({7}), {}, {});
  const std::vector<Case> earlier{third_case({8})};
  EXPECT_EQ(judge_case_here(subject, third(), third_case({9}), earlier, {}).comparison.verdict,
            Verdict::kOutOfBound);
  EXPECT_EQ(scripted.workers, 1);
  EXPECT_EQ(scripted.calls.size(), 3U);
}

TEST(RunCase, OtherWorkIsDoneWhileTheSubjectIsBusy) {
  ScriptedSubject scripted("third", right);
  Subject subject = scripted.open();
  int calls = 0;
  const auto meanwhile = [&] {
    ++calls;
    EXPECT_EQ(scripted.batches_started, 1);
    EXPECT_EQ(scripted.batches_finished, 0);
  };
  const Case c = third_case({3});
  EXPECT_EQ(run_case(subject, *third().block, c, {}, 0, meanwhile).kind, Kind::kReturned);
  EXPECT_EQ(run_case(subject, *third().block, c, {}, 1, meanwhile).message, "memory");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(run_case(subject, *third().block, c, {}, 0, {}).kind, Kind::kReturned);
}

TEST(JudgeCase, AFailureIsKnownByRuleOutputAndElementClass) {
  ScriptedSubject scripted("third", [](const Case& c, std::span<const Case>) {
    if (contains(c, 7)) return outcome_of(Kind::kThrew, "seven");
    return thirds(c, [](float number) { return number == 13 || number == 0.5F; });
  });
  Subject subject = scripted.open();
  const auto signature = [&](const std::vector<float>& x) {
    return judge_case(subject, third(), third_case(x), {}, {}).signature;
  };
  EXPECT_EQ(signature({2, 13}), (Signature{"third", "scripted", "out_of_bound", "output", "interior"}));
  EXPECT_EQ(signature({2, 0.5F}), (Signature{"third", "scripted", "out_of_bound", "output", "border"}));
  EXPECT_EQ(signature({7}), (Signature{"third", "scripted", "threw", "", "structure"}));
}

TEST(JudgeCase, OfADeepBlockTheFirstStageAtFaultIsBlamedByItsFamily) {
  ScriptedSubject scripted(
      "toy", [](const Case& c, std::span<const Case>) { return toy_answer(c, "layers.0.double", 0.1F); });
  Subject subject = scripted.open();
  const Judgement judgement = judge_case(subject, toy(), toy_case(), {}, {});
  EXPECT_EQ(judgement.signature,
            (Signature{"toy", "scripted", "out_of_bound", "layers.*.double", "interior"}));
  EXPECT_TRUE(scripted.calls.front().mode.tap);
}

}  // namespace
}  // namespace deformdiff
