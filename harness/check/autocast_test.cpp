// Models that run under autocast to bfloat16, exported and recorded: right ones agree where it is declared, a
// wrong stage is found.
#include "subjects/autocast.h"

#include "check/tampered_export_test.h"

#include <algorithm>
#include <ostream>

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

constexpr const char* kDeclared = " --declare autocast=bfloat16";

struct Wrong {
  const char* block;
  const char* stage;   ///< that has a 32nd too much where the model goes on with it
  const char* reader;  ///< the first stage that shows it
};

void PrintTo(const Wrong& each, std::ostream* out) {
  *out << each.block;
}

Tampers too_large(const std::string& stage) {
  return [=](const Call&) -> Tamper {
    return [=](const std::string& name, const at::Tensor& value) {
      return is_stage(name, stage) ? value * 1.03125 : value;
    };
  };
}

Tampers untouched() {
  return too_large("no stage");
}

class Autocast : public testing::TestWithParam<Wrong> {};

TEST_P(Autocast, ExportsAgreeAndWrongStagesAreFound) {
  const Wrong& each = GetParam();
  const std::string name = std::string("autocast_") + each.block;
  const auto exported_as = [&](const std::string& file, const Tampers& tampers) {
    return exported(file, each.block, tampers, at::kFloat, under_autocast);
  };
  const Checked right = check(name, exported_as(name, untouched()) + kDeclared);
  EXPECT_EQ(right.exit_code, 0) << right.messages << right.report.dump(1);
  const std::string wrong_name = name + "_wrong";
  const Checked wrong = check(wrong_name, exported_as(wrong_name, too_large(each.stage)) + kDeclared);
  ASSERT_EQ(wrong.exit_code, 1) << wrong.messages;
  EXPECT_EQ(wrong.report.at("first_diverging_stage"), each.reader);
}

/// Inputs, parameters, outputs and stages of a call, as a user dumps them. `shown` is what the model shows
/// them to.
std::filesystem::path recorded(const std::string& name, const std::string& block, const Tampers& tampers,
                               ShownStages&& shown = ShownStages()) {
  const TestCall owner = test_call(block, 2, /*masked=*/block == "decoder_layer", at::kFloat);
  const Call call = owner();
  const at::NoGradGuard no_grad;
  const auto outputs = under_autocast(tampered(ms_deform_attn::forward_operator, tampers))(
      {call.block, call.attributes, call.names, call.inputs, &shown});
  SafetensorsFile file;
  nlohmann::json config;
  for (const auto& [key, value] : find_block_definition(block)->default_attributes()) {
    if (key != "bits" && call.attributes.contains(key)) config[key] = call.attributes.at(key);
  }
  file.metadata = {{"block", block}, {"config", config.dump()}};
  for (std::size_t i = 0; i < call.names.size(); ++i) {
    const bool is_parameter = call.names[i].starts_with("param.");
    file.tensors.push_back({(is_parameter ? "" : "in.") + call.names[i], from_torch(call.inputs[i])});
  }
  const std::vector<std::string> names = find_block_definition(block)->output_names();
  for (std::size_t i = 0; i < outputs.size(); ++i)
    file.tensors.push_back({"out.amp." + names[i], from_torch(outputs[i])});
  for (const auto& [stage, value] : shown.values())
    file.tensors.push_back({"stage.amp." + stage, from_torch(value)});
  const std::filesystem::path path = folder() / (name + ".safetensors");
  write_safetensors(path, file);
  return path;
}

TEST_P(Autocast, RecordingsAgreeWhereItIsDeclaredAndWrongStagesAreFound) {
  const Wrong& each = GetParam();
  const auto judged = [&](const std::string& name, const Tampers& tampers, const char* declared) {
    return run_program("judge", name, recorded(name, each.block, tampers).string() + declared);
  };
  const std::string name = std::string("autocast_recorded_") + each.block;
  const Checked right = judged(name, untouched(), kDeclared);
  EXPECT_EQ(right.exit_code, 0) << right.messages << right.report.dump(1);
  EXPECT_EQ(judged(name + "_undeclared", untouched(), "").exit_code, 1);
  const Checked wrong = judged(name + "_wrong", too_large(each.stage), kDeclared);
  ASSERT_EQ(wrong.exit_code, 1) << wrong.messages;
}

/// What goes into softmax and norms is cast to float32, as PyTorch's list for CUDA has it.
class CastForCuda : public ShownStages {
 public:
  at::Tensor show(const std::string& name, const at::Tensor& value) override {
    ShownStages::show(name, value);
    const bool is_cast = is_stage(name, "attention_weights") || is_stage(name, "self_attn_residual") ||
                         is_stage(name, "ffn_residual");
    return is_cast ? value.to(at::kFloat) : value;
  }
};

TEST(AutocastLists, ThoseOfCudaAreRightToo) {
  const std::string name = "autocast_of_cuda";
  const std::filesystem::path file = recorded(name, "encoder_layer", untouched(), CastForCuda());
  const SafetensorsFile tensors = read_safetensors(file);
  const auto dtype_of = [&](const std::string& stage) {
    return std::ranges::find(tensors.tensors, "stage.amp." + stage, &NamedTensor::name)->tensor.dtype();
  };
  EXPECT_EQ(dtype_of("self_attn.attention_weights"), DType::kBFloat16);
  EXPECT_EQ(dtype_of("self_attn.msda.attention_weights"), DType::kFloat32);
  EXPECT_EQ(dtype_of("final_layer_norm"), DType::kFloat32);
  const Checked right = run_program("judge", name, file.string() + kDeclared);
  EXPECT_EQ(right.exit_code, 0) << right.messages << right.report.dump(1);
}

INSTANTIATE_TEST_SUITE_P(Blocks, Autocast,
                         testing::Values(Wrong{"attention_layer", "msda.attention_weights", "msda.output"},
                                         Wrong{"decoder_layer", "cross_attn_layer_norm", "self_attn.query"}),
                         [](const auto& each) { return testing::PrintToString(each.param); });

}  // namespace
}  // namespace deformdiff::worker
