#include "engine/stage_judge.h"

#include "engine/estimate.h"
#include "engine/stage_values.h"
#include "engine/toy_block_test.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Returns its mask alone.
class MaskOnlyBlock : public ToyBlock {
 public:
  std::vector<std::string> output_names() const override { return {"above"}; }
  std::vector<OutputSpec> outputs(const Case& c) const override { return {ToyBlock::outputs(c)[1]}; }
};

const BlockEntry& mask_only() {
  static const MaskOnlyBlock block;
  static const BlockEntry entry{&block, toy_operation, nullptr, {}};
  return entry;
}

Tensor floats(const std::vector<float>& values) {
  return Tensor::of<float>(DType::kFloat32, {static_cast<std::int64_t>(values.size()) / 2, 2},
                           std::span<const float>(values));
}

Tensor bits(const Tensor& y) {
  Tensor::Bytes bytes;
  for (std::int64_t i = 0; i < y.elements(); ++i) bytes.push_back(std::byte{y.element(i) > 1});
  return Tensor(DType::kBool, y.shape(), std::move(bytes));
}

const std::vector<float> kX{1.7F, -40, 3, 9, 1e5F, 0.1F};

Case problem() {
  return {"toy", {}, {{"x", floats(kX)}}, {}};
}

Outcome run(const std::string& stage = "", float size = 0) {
  return toy_answer(problem(), stage, size);
}

StagedComparison judged(const Outcome& outcome) {
  return judge_stages(toy(), problem(), outcome, {}, {});
}

TEST(StageJudge, CorrectStagesAgreeRigorously) {
  const StagedComparison result = judged(run());
  EXPECT_EQ(result.comparison.verdict, Verdict::kAgree) << result.comparison.reason;
  EXPECT_FALSE(result.comparison.estimated);
  EXPECT_EQ(result.stages.size(), 4U);
  EXPECT_LE(result.comparison.ratio, 1);
}

TEST(StageJudge, TheFirstWrongStageIsNamedAndTheLaterOnesAreNot) {
  for (const char* stage : {"layers.0.third", "layers.0.double", "layers.1.third"}) {
    for (const float size : {0.1F, 1e-6F}) {
      const StagedComparison result = judged(run(stage, size));
      EXPECT_EQ(result.comparison.verdict, Verdict::kOutOfBound);
      EXPECT_EQ(result.comparison.output, stage);
      EXPECT_EQ(result.comparison.element, 3);
      int wrong = 0;
      for (const StageVerdict& each : result.stages) wrong += is_finding(each.comparison.verdict) ? 1 : 0;
      EXPECT_EQ(wrong, 1) << "stages after the wrong one are right on their own inputs";
    }
  }
}

TEST(StageJudge, AFlippedBitIsFoundAndAFreeOneIsNot) {
  Outcome flipped = run();
  Tensor::Bytes bytes(flipped.outputs[1].tensor.storage().begin(), flipped.outputs[1].tensor.storage().end());
  bytes[4] = std::byte{0};
  flipped.outputs[1].tensor = flipped.stages[3].tensor = Tensor(DType::kBool, {3, 2}, bytes);
  EXPECT_EQ(judged(flipped).comparison.output, "layers.1.above");

  for (const float y : {1 - 1e-7F, 1 + 1e-7F}) {
    Outcome near = run();
    near.stages.clear();
    near.outputs[0].tensor = floats({y, -1, 1, 2, 3, 4});
    near.outputs[1].tensor = bits(floats({1.5F, -1, 1, 2, 3, 4}));
    Case c = problem();
    c.inputs[0].tensor = floats({4.5F * y, -4.5F, 4.5F, 9, 13.5F, 18});
    EXPECT_EQ(judge_stages(toy(), c, near, {}, {}).comparison.verdict, Verdict::kAgree);
  }
}

TEST(StageJudge, UnseenStagesAreEstimated) {
  Outcome hidden = run();
  hidden.stages.clear();
  StagedComparison result = judged(hidden);
  EXPECT_EQ(result.comparison.verdict, Verdict::kAgree) << result.comparison.reason;
  hidden = run("layers.0.third", 1e-4F);
  hidden.stages.clear();
  result = judged(hidden);
  EXPECT_EQ(result.comparison.verdict, Verdict::kOutOfBound);
  EXPECT_TRUE(result.comparison.estimated);
  EXPECT_EQ(result.comparison.output, "layers.1.third");
}

TEST(StageJudge, OutputsOfAnUntappedRunAreJudgedToo) {
  Outcome outcome = run();
  outcome.outputs = run("layers.0.third", 0.01F).outputs;
  const StagedComparison result = judged(outcome);
  EXPECT_EQ(result.comparison.verdict, Verdict::kOutOfBound);
  EXPECT_TRUE(result.comparison.estimated);
  EXPECT_NE(result.comparison.reason.find("untapped"), std::string::npos);
  EXPECT_TRUE(result.comparison.untapped);
  // Other correct bits than the tapped run's are no fault.
  outcome = run();
  std::vector<float> values = kX;
  for (float& value : values) value = std::nextafter(value * 2 / 9, 1e9F);
  outcome.outputs[0].tensor = floats(values);
  EXPECT_EQ(judged(outcome).comparison.verdict, Verdict::kAgree);
}

TEST(StageJudge, TheElementThatDecidedIsThatOfTheRunAtFault) {
  // y is wrong in the untapped run alone, and the mask follows from it there.
  const Outcome tapped = run(), wrong = run("layers.1.third", 0.5F);
  Outcome outcome = tapped;
  outcome.outputs = wrong.outputs;
  const Comparison decided = judged(outcome).comparison;
  ASSERT_TRUE(decided.untapped);
  EXPECT_EQ(decided.output, "layers.1.third");
  const Tensor* shown = shown_value(toy(), problem(), outcome, decided.output, decided.untapped);
  ASSERT_NE(shown, nullptr);
  EXPECT_EQ(*shown, wrong.outputs[0].tensor);
  EXPECT_EQ(shown->element(decided.element), decided.got);
  EXPECT_EQ(*shown_value(toy(), problem(), outcome, decided.output, false), tapped.outputs[0].tensor);
  EXPECT_EQ(shown_value(toy(), problem(), outcome, "layers.0.third", true), nullptr);

  // What follows is computed from what that run returned.
  const std::vector<Stage> stages = toy().block->stages(problem());
  for (const bool untapped : {true, false}) {
    Comparison above = decided;
    above.untapped = untapped;
    const Case made = element_of_stage(toy(), problem(), outcome, {}, stages.back(), above).problem;
    EXPECT_EQ(made.inputs.at(0).tensor, (untapped ? wrong : tapped).outputs[0].tensor);
  }
}

TEST(StageJudge, AStageThatNothingCouldContradictSaysSoWithoutDecidingTheCase) {
  Case c = problem();
  c.inputs[0].tensor = floats({0, 0, 0, 0, 0, 0});
  Outcome outcome = run();
  for (NamedTensor& stage : outcome.stages) stage.tensor = c.inputs[0].tensor;
  outcome.outputs = {{"y", c.inputs[0].tensor}, {"above", bits(c.inputs[0].tensor)}};
  outcome.stages.back().tensor = outcome.outputs[1].tensor;
  const StagedComparison result = judge_stages(toy(), c, outcome, {}, {});
  EXPECT_EQ(result.comparison.verdict, Verdict::kAgree);  // "above" could have been wrong
  EXPECT_EQ(result.stages[0].comparison.verdict, Verdict::kVacuous);
  EXPECT_EQ(result.stages[3].comparison.verdict, Verdict::kAgree);
}

TEST(StageJudge, UntappedOutputsThatNothingCouldContradictAreVacuous) {
  // Five of the six bits are free where layers.1.third was not seen: 4.5 * 2 / 9 is the threshold.
  Case c = problem();
  c.inputs[0].tensor = floats({4.5F, 4.5F, 4.5F, 4.5F, 4.5F, 0.1F});
  Outcome outcome;
  outcome.kind = Outcome::Kind::kReturned;
  const Tensor first = floats({1.5F, 1.5F, 1.5F, 1.5F, 1.5F, 0.1F / 3});
  const Tensor twice = floats({3, 3, 3, 3, 3, 2 * (0.1F / 3)});
  const Tensor second = floats({1, 1, 1, 1, 1, 2 * (0.1F / 3) / 3});
  outcome.stages = {{"layers.0.third", first}, {"layers.0.double", twice}, {"layers.1.third", second}};
  outcome.stages.push_back({"layers.1.above", bits(second)});
  outcome.outputs = {{"above", bits(second)}};
  EXPECT_EQ(judge_stages(mask_only(), c, outcome, {}, {}).comparison.verdict, Verdict::kAgree);
  outcome.outputs[0].tensor = bits(floats({2, 2, 2, 2, 2, 0}));
  const Comparison comparison = judge_stages(mask_only(), c, outcome, {}, {}).comparison;
  EXPECT_EQ(comparison.verdict, Verdict::kVacuous);
  EXPECT_NE(comparison.reason.find("untapped"), std::string::npos) << comparison.reason;
}

TEST(StageJudge, WhatAnUntappedRunReturnedIsSeen) {
  Outcome outcome = run();
  outcome.outputs[1].tensor = bits(floats({0, 0, 0, 0, 0, 0}));
  const Comparison comparison = judge_stages(toy(), problem(), outcome, {}, {}).comparison;
  EXPECT_EQ(comparison.verdict, Verdict::kOutOfBound);
  EXPECT_FALSE(comparison.estimated);
}

TEST(StageJudge, AnOutputOfTheSameRunIsACopyOfItsStage) {
  Outcome outcome = run();
  EXPECT_EQ(judge_stages(toy(), problem(), outcome, {}, {.one_run = true}).comparison.verdict,
            Verdict::kAgree);
  std::vector<float> y(outcome.outputs[0].tensor.values<float>().begin(),
                       outcome.outputs[0].tensor.values<float>().end());
  y[3] = std::nextafter(y[3], 1e9F);
  outcome.outputs[0].tensor = floats(y);
  const Comparison comparison = judge_stages(toy(), problem(), outcome, {}, {.one_run = true}).comparison;
  EXPECT_EQ(comparison.verdict, Verdict::kOutOfBound);
  EXPECT_EQ(comparison.output, "y");
  EXPECT_NE(comparison.reason.find("layers.1.third"), std::string::npos) << comparison.reason;
}

TEST(StageJudge, InheritedErrorsAreMeasuredApart) {
  const StagedComparison result =
      judge_stages(toy(), problem(), run("layers.0.third", 0.5F), {}, {.threads = 1, .inherited = true});
  EXPECT_GT(result.stages[2].inherited, 1e-6);
  EXPECT_EQ(result.stages[2].comparison.verdict, Verdict::kAgree);
}

TEST(StageJudge, WrongShapesEndIt) {
  Outcome outcome = run();
  outcome.stages[1].tensor = floats({1, 2});
  EXPECT_EQ(judged(outcome).comparison.verdict, Verdict::kWrongStructure);
  EXPECT_EQ(judged(outcome).comparison.output, "layers.0.double");
}

/// As the toy's, but doubles of more than 1e30 may be anything, and a NaN stays one.
class OverflowingOracle : public ToyOracle {
 public:
  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    Reference reference = ToyOracle::evaluate(c, precision, contract, threads);
    OutputReference& output = reference.outputs.front();
    const Tensor x = c.input("x").contiguous();
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      const double value = x.element(i);
      const bool overflows = c.block == "double" && std::abs(value) > 1e30;
      const bool passes_on = output.dtype != DType::kBool && !std::isfinite(value);
      output.admits.push_back(overflows   ? std::uint8_t{kAdmitsAnything}
                              : passes_on ? kind_of(value)
                                          : std::uint8_t{kAdmitsFinite});
    }
    return reference;
  }
};

const BlockEntry& overflowing() {
  static const ToyBlock block;
  static const BlockEntry entry{&block,
                                [](const std::string&, DType) -> const Oracle& {
                                  static const OverflowingOracle oracle;
                                  return oracle;
                                },
                                nullptr,
                                {}};
  return entry;
}

/// Of the toy block on six times `x`, with every double a NaN, or as it is where `wrong` is false.
Comparison judged_overflow(float x, bool wrong, bool seen) {
  const Case c{"toy", {}, {{"x", floats(std::vector<float>(6, x))}}, {}};
  Outcome outcome = toy_answer(c);
  if (wrong) {
    const Tensor nan = floats(std::vector<float>(6, std::numeric_limits<float>::quiet_NaN()));
    outcome.stages[1].tensor = outcome.stages[2].tensor = outcome.outputs[0].tensor = nan;
    outcome.stages[3].tensor = outcome.outputs[1].tensor = bits(nan);
  }
  if (!seen) outcome.stages.clear();
  return judge_stages(overflowing(), c, outcome, {}, {}).comparison;
}

TEST(StageJudge, ANanThatAnOverflowMayExplainIsNoEvidenceAfterIt) {
  for (const bool seen : {true, false}) {
    const Comparison comparison = judged_overflow(1e35F, true, seen);
    EXPECT_EQ(comparison.verdict, Verdict::kVacuous) << seen;
    EXPECT_NE(comparison.reason.find("6 of 6 elements of y"), std::string::npos) << comparison.reason;
  }
  EXPECT_EQ(judged_overflow(1e35F, false, true).verdict, Verdict::kAgree);
  EXPECT_EQ(judged_overflow(1, true, true).verdict, Verdict::kNonfiniteMismatch);
  // What comes from a NaN of the inputs is demanded.
  EXPECT_EQ(judged_overflow(std::numeric_limits<float>::quiet_NaN(), true, true).verdict, Verdict::kAgree);
}

TEST(EstimateFactor, IsStudentsQuantile) {
  // By numerical integration of the density with 16 degrees of freedom.
  EXPECT_NEAR(estimate_factor(1), 12.60987, 1e-4);
  EXPECT_NEAR(estimate_factor(1000000), 31.04574, 1e-4);
}

}  // namespace
}  // namespace deformdiff
