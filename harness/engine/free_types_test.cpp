// Runs whose values need not have the dtype of the case: each stage is judged in that of its own value.
#include "core/sixteen_bits.h"
#include "engine/stage_judge.h"
#include "engine/stage_values.h"
#include "engine/toy_block_test.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Answers in the dtype that it is asked for.
class TypedOracle : public ToyOracle {
 public:
  explicit TypedOracle(DType dtype) : dtype_(dtype) {}
  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    Reference reference = ToyOracle::evaluate(c, precision, contract, threads);
    OutputReference& output = reference.outputs.front();
    if (output.dtype == DType::kBool) return reference;
    output.dtype = dtype_;
    for (std::size_t i = 0; is_sixteen_bits(dtype_) && i < output.value.size(); ++i) {
      output.value[i] = round_to(sixteen_bit_format(dtype_), output.value[i]);
      output.bound[i] = 0;
    }
    return reference;
  }

 private:
  DType dtype_;
};

const Oracle& typed_operation(const std::string&, DType dtype) {
  static const TypedOracle narrow(DType::kBFloat16), wide(DType::kFloat32);
  return dtype == DType::kBFloat16 ? narrow : wide;
}

const BlockEntry& typed_toy() {
  static const ToyBlock block;
  static const BlockEntry entry{&block, typed_operation, nullptr, {}};
  return entry;
}

/// Its thirds are numbers of bfloat16: what a stage stored in it makes of them is the same in both types.
Case problem() {
  return {
      "toy", {}, {{"x", Tensor::of<float>(DType::kFloat32, {2, 2}, std::vector<float>{3, -6, 12, 48})}}, {}};
}

SubjectInfo under(Autocast autocast) {
  SubjectInfo info;
  info.precision.autocast = autocast;
  return info;
}

/// Stage `stage` is stored in `dtype`.
Outcome stored_in(DType dtype, const std::string& stage) {
  Outcome outcome = toy_answer(problem());
  for (NamedTensor& value : outcome.stages) {
    if (value.name == stage) value.tensor = convert(value.tensor, dtype);
  }
  outcome.outputs[0].tensor = outcome.stages[2].tensor;
  return outcome;
}

Verdict judged(const Outcome& outcome, Autocast autocast) {
  return judge_stages(typed_toy(), problem(), outcome, under(autocast), {}).comparison.verdict;
}

TEST(FreeTypes, AreThoseOfAutocastAndOfMixedCases) {
  const Block& block = *typed_toy().block;
  EXPECT_EQ(free_type(block, problem(), {}), std::nullopt);
  EXPECT_EQ(free_type(block, problem(), under(Autocast::kFloat16).precision), DType::kFloat16);
  Case mixed = problem();
  mixed.inputs.push_back({"norm", convert(mixed.inputs[0].tensor, DType::kBFloat16)});
  EXPECT_EQ(free_type(block, mixed, {}), DType::kBFloat16);
}

TEST(FreeTypes, AStageHasTheTypeOfItsValueOrOfWhatItTakes) {
  const Precision precision = under(Autocast::kBFloat16).precision;
  const Contract contract;
  StageValues values(typed_toy(), problem(), precision, contract, 1);
  const std::vector<Stage> stages = typed_toy().block->stages(problem());
  const Tensor narrow = convert(problem().inputs[0].tensor, DType::kBFloat16);
  EXPECT_EQ(values.typed(stages[0], nullptr).dtype, DType::kFloat32);
  EXPECT_EQ(values.typed(stages[0], &narrow).dtype, DType::kBFloat16);
  const Tensor other = convert(narrow, DType::kFloat16);
  EXPECT_EQ(values.typed(stages[0], &other).dtype, DType::kFloat32);
  values.set_seen(stages[0], narrow);
  EXPECT_EQ(values.typed(stages[1], nullptr).dtype, DType::kBFloat16);
  EXPECT_EQ(values.typed(stages[1], &problem().inputs[0].tensor).dtype, DType::kFloat32);
}

TEST(FreeTypes, AnUnseenValueIsKnownIfItWasRoundedToTheOneNumberOfItsSet) {
  for (const Unseen unseen : {Unseen::kAny, Unseen::kRounded}) {
    Precision precision = under(Autocast::kBFloat16).precision;
    precision.unseen = unseen;
    const Contract contract;
    StageValues values(typed_toy(), problem(), precision, contract, 1);
    const std::vector<Stage> stages = typed_toy().block->stages(problem());
    const Tensor narrow = convert(problem().inputs[0].tensor, DType::kBFloat16);
    const Stage first = values.typed(stages[0], &narrow);
    values.set_drawn(first, values.refer(first));
    EXPECT_EQ(values.refer(values.typed(stages[1], nullptr)).estimated, unseen == Unseen::kAny);
  }
}

TEST(FreeTypes, EachStageIsJudgedInItsOwn) {
  for (const char* stage : {"layers.0.third", "layers.0.double", "layers.1.third"}) {
    const Outcome narrow = stored_in(DType::kBFloat16, stage);
    EXPECT_EQ(judged(narrow, Autocast::kBFloat16), Verdict::kAgree) << stage;
    EXPECT_EQ(judged(narrow, Autocast::kNone), Verdict::kWrongStructure) << stage;
    EXPECT_EQ(judged(narrow, Autocast::kFloat16), Verdict::kWrongStructure) << stage;
    EXPECT_EQ(judged(stored_in(DType::kFloat16, stage), Autocast::kBFloat16), Verdict::kWrongStructure);
  }
}

TEST(FreeTypes, AWrongNumberOfTheNarrowTypeIsFound) {
  Outcome outcome = stored_in(DType::kBFloat16, "layers.0.double");
  Tensor wrong = convert(outcome.stages[1].tensor, DType::kFloat32);
  std::vector<float> numbers(wrong.values<float>().begin(), wrong.values<float>().end());
  numbers[0] *= 1 + 0x1p-7F;
  outcome.stages[1].tensor =
      convert(Tensor::of<float>(DType::kFloat32, wrong.shape(), numbers), DType::kBFloat16);
  const auto result = judge_stages(typed_toy(), problem(), outcome, under(Autocast::kBFloat16), {});
  EXPECT_EQ(result.comparison.verdict, Verdict::kOutOfBound);
  EXPECT_EQ(result.comparison.output, "layers.0.double");
}

}  // namespace
}  // namespace deformdiff
