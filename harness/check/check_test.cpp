// `deformdiff check` on modules exported here: right ones pass every replay, silently wrong ones are found
// and the cause is named.
#include "blocks/block_list.h"
#include "check/run_check_test.h"
#include "faults/export_mistakes.h"
#include "faults/normaliser.h"
#include "faults/tampering.h"
#include "faults/unregistered.h"
#include "subjects/mask2former/test_calls.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/tracing/traced.h"

#include <filesystem>
#include <fstream>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/log.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace deformdiff::worker {
namespace {

namespace fs = std::filesystem;
using ms_deform_attn::forward_operator;

/// The module that `function` is exported as, its configuration and the example that it was traced on: the
/// flags to check it with.
std::string exported(const std::string& name, const std::string& block, const BlockFunction& function) {
  const TestCall owner = test_call(block, 2, /*masked=*/false, at::kFloat);
  const Call call = owner();
  const fs::path model = folder() / (name + ".pt"), config = folder() / (name + ".config.json");
  const at::NoGradGuard no_grad;
  save_traced(function, call, model.string());
  nlohmann::json attributes;
  for (const auto& [key, value] : find_block_definition(block)->default_attributes()) {
    if (key != "bits" && call.attributes.contains(key)) attributes[key] = call.attributes.at(key);
  }
  std::ofstream(config) << attributes.dump();
  return model.string() + " --block " + block + " --config " + config.string() + example_flags(name, call);
}

struct Export {
  const char* name;
  const char* block;
  BlockFunction function;
  const char* cause;  ///< empty: it is right
};

void PrintTo(const Export& each, std::ostream* out) {
  *out << each.name << '_' << each.block;
}

class EachExport : public testing::TestWithParam<Export> {};

TEST_P(EachExport, IsJudgedAndItsCauseNamed) {
  const Export& each = GetParam();
  const std::string name = std::string(each.name) + "_" + each.block;
  const Checked checked = check(name, exported(name, each.block, each.function));
  const bool right = *each.cause == '\0';
  ASSERT_EQ(checked.exit_code, right ? 0 : 1) << checked.messages;
  EXPECT_EQ(checked.report.value("cause", ""), each.cause);
  ASSERT_FALSE(checked.report.at("scenarios").empty());
  if (!right) return;
  for (const auto& scenario : checked.report.at("scenarios")) {
    // Of rare inputs a stage may show nothing: every sample lies outside, a norm may be anything.
    const std::string name = scenario.at("name");
    const bool rare = name.starts_with("large_") || name == "equal_rows" || name == "small_variance";
    if (!rare || scenario.at("verdict") != "vacuous") {
      EXPECT_EQ(scenario.at("verdict"), "agree") << scenario.dump();
    }
  }
}

std::vector<Export> exports() {
  std::vector<Export> list;
  for (const char* block : {"attention_layer", "pixel_decoder"}) {
    list.push_back({"good", block, every_block(forward_operator), ""});
    list.push_back({"zeros", block, every_block(unregistered_kernel), "outputs_ignore_inputs"});
    list.push_back({"constant", block, every_block(constant_kernel), "stale_constant"});
    list.push_back({"normaliser", block, tampered(forward_operator, with_normaliser(baked)), "baked_shape"});
    list.push_back({"levels", block, every_block(baked_levels), "baked_shape"});
    list.push_back({"batch", block, every_block(unrolled_batch), "baked_batch"});
  }
  for (const char* block : {"encoder_layer", "pixel_decoder_encoder", "decoder_layer", "mask_predictor",
                            "transformer_decoder", "mask2former_head", "position_embedding"}) {
    list.push_back({"good", block, every_block(forward_operator), ""});
  }
  for (const char* block : {"transformer_decoder", "mask2former_head"}) {
    list.push_back({"blocked_rows", block, tampered(forward_operator, keep_blocked_rows), "wrong_stage"});
  }
  list.push_back({"dropout", "pixel_decoder", tampered(forward_operator, dropout_left_in), "training_mode"});
  return list;
}

INSTANTIATE_TEST_SUITE_P(Check, EachExport, testing::ValuesIn(exports()), [](const auto& info) {
  return std::string(info.param.name) + "_" + info.param.block;
});

/// The model without its block's name, on the example it was traced on, with its own graph as the reference.
Checked check_opaque(const std::string& name, const BlockFunction& function, at::ScalarType dtype) {
  const TestCall owner = test_call("encoder_layer", 2, /*masked=*/false, dtype);
  const Call call = owner();
  const fs::path model = folder() / (name + ".pt");
  const at::NoGradGuard no_grad;
  save_traced(function, call, model.string());
  return check(name, model.string() + " --block opaque" + example_flags(name, call));
}

TEST(CheckOpaque, OwnGraphAgreesInEitherDtype) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const Checked checked = check_opaque("opaque_good", every_block(forward_operator), dtype);
    EXPECT_EQ(checked.exit_code, 0) << dtype << checked.messages << checked.report.dump(1);
  }
}

TEST(CheckOpaque, AnAgreementOnZerosProvesNothing) {
  const auto zeros = [](const Call& call) -> std::vector<at::Tensor> {
    return {at::zeros_like(call.input("hidden_states"))};
  };
  const Checked checked = check_opaque("opaque_zeros", zeros, at::kFloat);
  EXPECT_EQ(checked.exit_code, 4) << checked.messages << checked.report.dump(1);
}

TEST(CheckOpaque, WhatCannotBeComparedProvesNothing) {
  const auto sparse = [](const Call& call) -> std::vector<at::Tensor> {
    return {call.input("hidden_states").to_sparse()};
  };
  const Checked checked = check_opaque("opaque_sparse", sparse, at::kFloat);
  EXPECT_EQ(checked.exit_code, 4) << checked.messages << checked.report.dump(1);
  EXPECT_EQ(checked.report.at("scenarios")[0].at("reason"),
            "nothing to compare: output.0 is a sparse_coo tensor of shape [2, 48, 8]");
}

TEST(CheckOpaque, AnInfinityIsDemandedAndLeavesOtherElementsTheirBounds) {
  const auto one_infinite = [](const Call& call) -> std::vector<at::Tensor> {
    const at::Tensor& x = call.input("hidden_states");
    return {at::log(x - x.min())};
  };
  const Checked checked = check_opaque("opaque_infinity", one_infinite, at::kFloat);
  EXPECT_EQ(checked.exit_code, 0) << checked.messages << checked.report.dump(1);
}

/// What is no model, or too little is said of it: exit code 2, and the message names it.
void expect_refusal(const std::string& name, const std::string& arguments, const std::string& named) {
  const Checked checked = check(name, arguments);
  EXPECT_EQ(checked.exit_code, 2) << checked.messages;
  EXPECT_NE(checked.messages.find(named), std::string::npos) << checked.messages;
}

TEST(CheckRefusals, FilesThatAreNoModel) {
  const std::string missing = folder() / "missing.pt", garbage = folder() / "garbage.pt",
                    zip = folder() / "archive.pt2";
  std::ofstream(garbage) << "this is no archive";
  // The end record of an empty zip.
  std::ofstream(zip) << std::string("PK\5\6") + std::string(18, '\0');
  for (const std::string& file : {missing, garbage, zip}) {
    expect_refusal(fs::path(file).stem(), file + " --block attention_layer", file);
  }
}

TEST(CheckRefusals, WhatIsNotSaidIsNamed) {
  const std::string good = exported("unsaid", "attention_layer", every_block(forward_operator));
  const std::string file = good.substr(0, good.find(' '));
  expect_refusal("no_heads", file + " --block attention_layer", "num_heads");
  expect_refusal("no_inputs", file + " --block opaque", "--inputs");
}

}  // namespace
}  // namespace deformdiff::worker
