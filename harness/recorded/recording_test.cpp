#include "recorded/recording.h"

#include "blocks/ms_deform_attn.h"
#include "core/error.h"
#include "recorded/judge_recording.h"

#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Tensor numbers(DType dtype, double value, Shape shape = {1, 1, 1}) {
  if (dtype == DType::kFloat64) return Tensor::of<double>(dtype, shape, std::vector<double>{value});
  return Tensor::of<float>(DType::kFloat32, shape, std::vector<float>{static_cast<float>(value)});
}

/// Of one of everything.
SafetensorsFile with_inputs(const std::string& prefix) {
  const auto whole = [](Shape shape, std::vector<std::int64_t> values) {
    return Tensor::of<std::int64_t>(DType::kInt64, shape, values);
  };
  SafetensorsFile file;
  file.tensors = {{prefix + "value", numbers(DType::kFloat32, 0.1F, {1, 1, 1, 1})},
                  {prefix + "spatial_shapes", whole({1, 2}, {1, 1})},
                  {prefix + "level_start_index", whole({1}, {0})},
                  {prefix + "sampling_loc",
                   Tensor::of<float>(DType::kFloat32, {1, 1, 1, 1, 1, 2}, std::vector<float>(2, 0.1F))},
                  {prefix + "attn_weight", numbers(DType::kFloat32, 0.1F, {1, 1, 1, 1, 1})}};
  return file;
}

Recording take(const SafetensorsFile& file, const std::map<std::string, std::string>& mapping = {}) {
  return read_recording(file, ms_deform_attn::block(), Layout::kHuggingface, {{}, {}, mapping});
}

std::string refusal(const SafetensorsFile& file, const std::map<std::string, std::string>& mapping = {}) {
  try {
    take(file, mapping);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::vector<std::string> names(const Recording& recording) {
  std::vector<std::string> names;
  for (const RecordedRun& run : recording.runs) names.push_back(run.name);
  return names;
}

TEST(Recorded, EachTagIsARunAndTheRestIsIgnored) {
  SafetensorsFile file = with_inputs("in.");
  for (const char* name : {"out.f32.output", "out.trt.fp16.output", "out.f32.grad_value", "extra.note",
                           "stage.f32.x", "param.w"}) {
    file.tensors.push_back({name, numbers(DType::kFloat32, 1)});
  }
  file.unreadable = {{"extra.index", "F4"}};
  const Recording recording = take(file);
  EXPECT_EQ(names(recording), (std::vector<std::string>{"recorded/f32", "recorded/trt.fp16"}));
  EXPECT_EQ(recording.ignored, (std::vector<std::string>{"out.f32.grad_value", "extra.note", "stage.f32.x",
                                                         "param.w", "extra.index (F4)"}));
}

TEST(Recorded, PlainAndBareNamesAreOneUntaggedRun) {
  SafetensorsFile plain = with_inputs("in.");
  plain.tensors.push_back({"out.output", numbers(DType::kFloat32, 1)});
  EXPECT_EQ(names(take(plain)), std::vector<std::string>{"recorded"});
  SafetensorsFile bare = with_inputs("");
  bare.tensors.push_back({"output", numbers(DType::kFloat32, 1)});
  EXPECT_EQ(names(take(bare)), std::vector<std::string>{"recorded"});
  EXPECT_TRUE(take(bare).ignored.empty());
}

TEST(Recorded, MappingRenamesInputsAndOutputsOfEveryTag) {
  SafetensorsFile file = with_inputs("in.");
  file.tensors[0].name = "memory";
  file.tensors.push_back({"out.a.y", numbers(DType::kFloat32, 1)});
  file.tensors.push_back({"out.b.y", numbers(DType::kFloat32, 1)});
  EXPECT_EQ(names(take(file, {{"value", "memory"}, {"output", "y"}})),
            (std::vector<std::string>{"recorded/a", "recorded/b"}));
  EXPECT_EQ(names(take(file, {{"in.value", "memory"}, {"out.output", "y"}})).size(), 2U);
}

TEST(Recorded, RefusalsNameTheTensor) {
  SafetensorsFile file = with_inputs("in.");
  EXPECT_NE(refusal(file).find("no output is recorded: 'out.TAG.output'"), std::string::npos);
  file.tensors.push_back({"out.output", numbers(DType::kFloat32, 1)});
  EXPECT_EQ(refusal(file), "accepted");
  EXPECT_NE(refusal(file, {{"valu", "x"}}).find("no tensor 'valu'"), std::string::npos);
  EXPECT_NE(refusal(file, {{"value", "x"}}).find("'in.x' or 'x' wanted"), std::string::npos);
  file.tensors.erase(file.tensors.begin());
  EXPECT_NE(refusal(file).find("required tensor 'value' is missing"), std::string::npos);
  file.unreadable = {{"in.value", "F8_E4M3"}};
  EXPECT_NE(refusal(file).find("'in.value' has dtype F8_E4M3"), std::string::npos);
}

TEST(Recorded, InputsThatAreReadAsInt64AreNamed) {
  SafetensorsFile file = with_inputs("in.");
  file.narrow = {{"in.spatial_shapes", "I32"}, {"extra.index", "I16"}};
  file.tensors.push_back({"extra.index", numbers(DType::kFloat32, 1)});
  file.tensors.push_back({"out.output", numbers(DType::kFloat32, 1)});
  const Recording recording = take(file);
  EXPECT_EQ(recording.read_as_int64, std::vector<std::string>{"in.spatial_shapes (I32)"});
  EXPECT_EQ(recording.ignored, std::vector<std::string>{"extra.index (I16)"});
}

TEST(Recorded, ARunWhoseOutputCannotBeReadSaysSo) {
  SafetensorsFile file = with_inputs("in.");
  file.unreadable = {{"out.npu.output", "F8_E4M3"}, {"out.npu.grad_value", "F8_E4M3"}};
  file.narrow = {{"out.quantized.output", "I32"}};
  file.tensors.push_back({"out.quantized.output", numbers(DType::kFloat32, 1)});
  const Recording recording = take(file);
  EXPECT_EQ(names(recording), (std::vector<std::string>{"recorded/npu", "recorded/quantized"}));
  for (const RecordedRun& run : recording.runs) EXPECT_EQ(unjudged(run).verdict, Verdict::kUnsupported);
  EXPECT_NE(unjudged(recording.runs[0]).reason.find("'out.npu.output' has dtype F8_E4M3"), std::string::npos);
  EXPECT_NE(unjudged(recording.runs[1]).reason.find("dtype I32"), std::string::npos);
  EXPECT_EQ(recording.ignored, std::vector<std::string>{"out.npu.grad_value (F8_E4M3)"});
  // Beside an output that can be read it is ignored.
  file.unreadable = {{"out.output", "F8_E4M3"}};
  file.narrow.clear();
  file.tensors.push_back({"output", numbers(DType::kFloat32, 1)});
  EXPECT_EQ(unjudged(take(file).runs.back()).reason, "");
}

TEST(Recorded, InputsAreWidenedExactlyAndNarrowedToNearest) {
  SafetensorsFile file = with_inputs("in.");
  file.tensors[0].tensor = numbers(DType::kFloat64, 0.1, {1, 1, 1, 1});
  file.tensors.push_back({"out.output", numbers(DType::kFloat32, 1)});
  const Recording recording = take(file);
  const auto& block = ms_deform_attn::block();
  const Case narrow = recorded_case(block, recording, DType::kFloat32);
  EXPECT_EQ(narrow.input("value").values<float>()[0], 0.1F);
  const Case wide = recorded_case(block, recording, DType::kFloat64);
  EXPECT_EQ(wide.input("value").values<double>()[0], 0.1);
  EXPECT_EQ(wide.input("attn_weight").values<double>()[0], static_cast<double>(0.1F));
}

/// Of half value and float32 locations as they are, if that is what ran; of one type otherwise.
TEST(Recorded, MixedTypesStayAsTheyAre) {
  SafetensorsFile file = with_inputs("in.");
  file.tensors[0].tensor = convert(file.tensors[0].tensor, DType::kFloat16);
  file.tensors.push_back({"out.half.output", convert(numbers(DType::kFloat32, 1), DType::kFloat16)});
  file.tensors.push_back({"out.wide.output", numbers(DType::kFloat32, 1)});
  const Recording recording = take(file);
  const auto& block = ms_deform_attn::block();
  const Case half = recorded_case(block, recording, recording.runs[0].dtype);
  EXPECT_EQ(half.inputs, recording.inputs);
  EXPECT_NO_THROW(block.validate(half));
  EXPECT_EQ(block.outputs(half)[0].dtype, DType::kFloat16);
  const Case wide = recorded_case(block, recording, recording.runs[1].dtype);
  EXPECT_EQ(wide.input("value").dtype(), DType::kFloat32);
  EXPECT_EQ(recorded_case(block, recording, DType::kBFloat16).input("sampling_loc").dtype(),
            DType::kBFloat16);
}

}  // namespace
}  // namespace deformdiff
