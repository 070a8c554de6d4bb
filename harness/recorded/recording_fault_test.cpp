// Recordings whose parameters are not those they were computed with: the stage that uses the parameter is
// named.
#include "blocks/block_list.h"
#include "catalog/catalog.h"
#include "core/error.h"
#include "engine/stage_judge.h"
#include "recorded/recording.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr std::string_view kParameter = "param.";

struct Recorded {
  const BlockEntry& entry;
  Recording recording;
};

SafetensorsFile recorded_file(const std::string& block, const std::string& name) {
  return read_safetensors(std::filesystem::path(DEFORMDIFF_CASES) / block / "recorded" /
                          (name + ".safetensors"));
}

Recorded recorded(const std::string& block, const std::string& name) {
  const SafetensorsFile file = recorded_file(block, name);
  const RecordingOptions options;
  const BlockEntry& entry = find_block(block);
  return {entry, read_recording(file, *find_block_definition(block), layout_of(options, file), options)};
}

/// The element that is furthest from zero, 1 % larger.
Tensor with_a_wrong_element(const Tensor& tensor) {
  const auto values = tensor.values<double>();
  std::vector<double> changed(values.begin(), values.end());
  const auto largest = std::ranges::max_element(changed, {}, [](double x) { return std::abs(x); });
  *largest *= 1.01;
  return Tensor::of<double>(DType::kFloat64, tensor.shape(), changed);
}

/// The stages whose operation takes the parameter itself.
std::set<std::string> users(const BlockDefinition& block, const Case& c, const std::string& parameter) {
  std::set<std::string> stages;
  for (const Stage& stage : block.stages(c)) {
    if (std::ranges::any_of(stage.inputs,
                            [&](const StageInput& input) { return input.value == parameter; })) {
      stages.insert(stage.name);
    }
  }
  return stages;
}

void expect_every_parameter_to_show(const Recorded& file) {
  const BlockDefinition& block = *find_block_definition(file.entry.block->name());
  const auto run = std::ranges::find(file.recording.runs, DType::kFloat64, &RecordedRun::dtype);
  ASSERT_NE(run, file.recording.runs.end());
  const Case right = recorded_case(block, file.recording, run->dtype);
  EXPECT_EQ(judge_stages(file.entry, right, run->outcome, {}, {.one_run = true}).comparison.verdict,
            Verdict::kAgree);
  int parameters = 0;
  for (std::size_t i = 0; i < right.inputs.size(); ++i) {
    const std::string& name = right.inputs[i].name;
    if (!name.starts_with(kParameter)) continue;
    ++parameters;
    Case wrong = right;
    wrong.inputs[i].tensor = with_a_wrong_element(right.inputs[i].tensor);
    const Comparison found = judge_stages(file.entry, wrong, run->outcome, {}, {.one_run = true}).comparison;
    EXPECT_EQ(found.verdict, Verdict::kOutOfBound) << name << ": " << found.reason;
    EXPECT_TRUE(users(block, right, name).contains(found.output)) << name << ": " << found.output;
  }
  EXPECT_GT(parameters, 0);
}

TEST(RecordedFault, AnElementOfAParameterOfAnAttentionLayer) {
  expect_every_parameter_to_show(recorded("attention_layer", "attention_layer_mmcv_padded_length_first"));
}

TEST(RecordedFault, AnElementOfAParameterOfADecoderLayer) {
  expect_every_parameter_to_show(recorded("decoder_layer", "decoder_layer_pre_norm"));
}

/// What is said of a mapping; empty if it is taken.
std::string refusal_of_mapping(const SafetensorsFile& file, std::map<std::string, std::string> mapping) {
  RecordingOptions options;
  options.mapping = std::move(mapping);
  try {
    read_recording(file, *find_block_definition("decoder_layer"), layout_of(options, file), options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RecordedMapping, RenamesATensorOfTheFileAndNothingElse) {
  SafetensorsFile file = recorded_file("decoder_layer", "decoder_layer_pre_norm");
  const auto renamed = std::ranges::find(file.tensors, "in.hidden_states", &NamedTensor::name);
  ASSERT_NE(renamed, file.tensors.end());
  renamed->name = "in.tgt";
  EXPECT_EQ(refusal_of_mapping(file, {{"hidden_states", "tgt"}}), "");
  EXPECT_NE(
      refusal_of_mapping(file, {{"hidden_states", "tgt"}, {"output", "other"}}).find("no tensor 'other'"),
      std::string::npos);
  file.tensors.push_back({"extra", renamed->tensor});
  EXPECT_NE(refusal_of_mapping(file, {{"hidden_states", "tgt"}, {"query", "extra"}}).find("has no 'query'"),
            std::string::npos);
}

}  // namespace
}  // namespace deformdiff
