// Causes, from replays and a graph's findings as they might be.
#include "check/cause.h"

#include "blocks/block_list.h"
#include "blocks/extents.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

const BlockDefinition& block() {
  return *find_block_definition("decoder_layer");
}

constexpr std::int64_t kKeys = 12;

/// Zeros of the shapes that a layer of 8 channels takes, and `largest` in its first input.
Case layer_case(std::int64_t batch, std::int64_t keys, float largest) {
  Case c;
  c.block = "decoder_layer";
  c.attributes = block().default_attributes();
  c.attributes["num_heads"] = 2;
  const Extents extents{{"B", batch}, {"Q", 5}, {"K", keys}, {"M", 2}, {"D", 4}, {"F", 3}};
  for (const TensorSpec& spec : block().tensors(c.attributes)) {
    if (spec.optional) continue;
    Shape shape;
    for (const Factors& axis : parse_axes(spec.axes)) {
      std::int64_t extent = 1;
      for (const std::string& factor : axis)
        extent *= is_number(factor) ? std::stoll(factor) : extents.at(factor);
      shape.push_back(extent);
    }
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)), 0);
    if (c.inputs.empty()) values.front() = largest;
    c.inputs.push_back({spec.name, Tensor::of<float>(DType::kFloat32, shape, values)});
  }
  return c;
}

/// Of `batch` and as many keys; a verdict that is a finding names the stage fc1, of which `value` was seen.
Replay replay(const std::string& name, std::int64_t batch, std::int64_t keys, Verdict verdict,
              float largest = 1, float value = 0) {
  Replay made{name, {batch, {{1, keys}}, {}}, layer_case(batch, keys, largest), {}, {}};
  made.outcome.kind = Outcome::Kind::kReturned;
  made.outcome.stages = {{"fc1", Tensor::of<float>(DType::kFloat32, {1}, std::vector<float>{value})}};
  made.judged.comparison.verdict = verdict;
  if (is_finding(verdict)) made.judged.comparison.output = "fc1";
  made.judged.stages.push_back({"fc1", made.judged.comparison, 0});
  return made;
}

std::string cause(const std::vector<Replay>& replays, const std::vector<std::string>& audit = {}) {
  std::vector<AuditFinding> findings;
  for (const std::string& kind : audit) findings.push_back({kind, "", "", ""});
  return find_cause(replays, block(), findings);
}

std::string said(const std::vector<Replay>& replays) {
  std::string text;
  for (const std::string& line : circumstances(replays, block())) text += line + "\n";
  return text;
}

TEST(Cause, SizesAreBakedOnlyWhereTheGraphShowsIt) {
  const std::vector<Replay> replays{replay("same_shape", 1, kKeys, Verdict::kAgree),
                                    replay("other_batch", 2, kKeys, Verdict::kAgree),
                                    replay("other_shape", 1, 15, Verdict::kOutOfBound)};
  EXPECT_EQ(cause(replays, {audit_kind::kBakedShape}), "baked_shape");
  EXPECT_EQ(cause(replays, {audit_kind::kBakedBatch}), "wrong_stage");
  EXPECT_EQ(cause(replays, {audit_kind::kLargeConstant}), "wrong_stage");
  EXPECT_EQ(cause(replays), "wrong_stage");
  EXPECT_EQ(
      said(replays),
      "Wrong only where K is 15 (right at 12).\nWrong in other_shape; right in same_shape, other_batch.\n");
}

TEST(Cause, AShapeIsBakedWhereOtherQueriesAloneFail) {
  std::vector<Replay> replays{replay("same_shape", 1, kKeys, Verdict::kAgree),
                              replay("other_batch", 2, kKeys, Verdict::kAgree),
                              replay("other_queries", 1, kKeys, Verdict::kThrew)};
  replays.back().sizes.queries = 10;
  EXPECT_EQ(cause(replays, {audit_kind::kBakedShape}), "baked_shape");
  EXPECT_EQ(cause(replays, {audit_kind::kBakedBatch}), "wrong_stage");
}

TEST(Cause, TheBatchIsBakedOnlyWhereTheGraphShowsIt) {
  std::vector<Replay> replays{replay("same_shape", 1, kKeys, Verdict::kAgree),
                              replay("other_batch", 2, kKeys, Verdict::kOutOfBound),
                              replay("other_shape", 1, 15, Verdict::kAgree)};
  EXPECT_EQ(cause(replays, {audit_kind::kBakedBatch}), "baked_batch");
  EXPECT_EQ(cause(replays, {audit_kind::kBakedShape}), "wrong_stage");
  EXPECT_EQ(cause(replays), "wrong_stage");
  EXPECT_EQ(
      said(replays),
      "Wrong only where B is 2 (right at 1).\nWrong in other_batch; right in same_shape, other_shape.\n");
  replays.back() = replay("other_shape", 1, 15, Verdict::kThrew);
  EXPECT_EQ(cause(replays, {audit_kind::kBakedBatch, audit_kind::kBakedShape}), "baked_shape");
}

TEST(Cause, AValueThatIsWrongAndTheSameIsStaleOnlyWhereTheGraphHoldsAConstant) {
  const auto replays = [](float value) {
    return std::vector<Replay>{replay("same_shape", 1, kKeys, Verdict::kOutOfBound, 1, value),
                               replay("other_values", 1, kKeys, Verdict::kOutOfBound, 1, value)};
  };
  EXPECT_EQ(cause(replays(3)), "wrong_stage");
  EXPECT_EQ(cause(replays(0)), "wrong_stage");
  EXPECT_EQ(cause(replays(3), {audit_kind::kLargeConstant}), "stale_constant");
  EXPECT_EQ(cause(replays(0), {audit_kind::kOutputIgnoresInputs}), "outputs_ignore_inputs");
  EXPECT_EQ(said(replays(3)), "");
}

TEST(Cause, WhatIsRightForSomeInputsOfTheTracedSizesIsNotLost) {
  const std::vector<Replay> replays{replay("same_shape", 1, kKeys, Verdict::kAgree, 1),
                                    replay("other_values", 1, kKeys, Verdict::kAgree, 2),
                                    replay("large", 1, kKeys, Verdict::kOutOfBound, 1000)};
  EXPECT_EQ(cause(replays, {audit_kind::kLargeConstant, audit_kind::kBakedShape}), "wrong_stage");
  EXPECT_EQ(said(replays),
            "Wrong only where hidden_states is as large as 1e+03 (right up to 2).\n"
            "Wrong in large; right in same_shape, other_values.\n");
}

TEST(Cause, MisbehaviourHasItsOwnWords) {
  std::vector<Replay> replays{replay("same_shape", 1, kKeys, Verdict::kModifiedInput),
                              replay("other_values", 1, kKeys, Verdict::kModifiedInput)};
  for (Replay& each : replays) each.judged.comparison.output = "hidden_states";
  EXPECT_EQ(cause(replays, {audit_kind::kBakedShape}), "unknown");
  EXPECT_NE(words_on_misbehaviour(replays).find("writes into its input hidden_states"), std::string::npos);
  EXPECT_EQ(words_on_misbehaviour({replay("same_shape", 1, kKeys, Verdict::kOutOfBound)}), "");
  // A baked size explains a crash, too.
  EXPECT_EQ(cause({replay("same_shape", 1, kKeys, Verdict::kAgree),
                   replay("other_shape", 1, 15, Verdict::kCrashed)},
                  {audit_kind::kBakedShape}),
            "baked_shape");
}

}  // namespace
}  // namespace deformdiff
