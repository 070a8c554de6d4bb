// `deformdiff check` on models that compute in float16 and bfloat16: right ones agree, a wrong stage is
// found.
#include "check/tampered_export_test.h"

#include <ostream>

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

struct Narrow {
  const char* name;
  at::ScalarType dtype;
  const char* block;
  const char* stage;   ///< that the wrong one has a 32nd too large when it goes on with it
  const char* reader;  ///< the first stage that shows it
};

void PrintTo(const Narrow& each, std::ostream* out) {
  *out << each.block << '_' << each.name;
}

class SixteenBits : public testing::TestWithParam<Narrow> {};

Tampers untouched() {
  return
      [](const Call&) -> Tamper { return [](const std::string&, const at::Tensor& value) { return value; }; };
}

Tampers too_large(const char* stage) {
  return [=](const Call&) -> Tamper {
    return [=](const std::string& name, const at::Tensor& value) {
      return is_stage(name, stage) ? value * 1.03125 : value;
    };
  };
}

/// Their sampling is an operator that computes in float32.
constexpr const char* kDeclared = " --declare arithmetic=wide";

TEST_P(SixteenBits, RightModelsAgreeAndWrongStagesAreFound) {
  const Narrow& each = GetParam();
  const std::string name = std::string(each.block) + "_" + each.name;
  const Checked right = check(name, exported(name, each.block, untouched(), each.dtype) + kDeclared);
  EXPECT_EQ(right.exit_code, 0) << right.messages << right.report.dump(1);
  const std::string wrong_name = name + "_wrong";
  const Checked wrong =
      check(wrong_name, exported(wrong_name, each.block, too_large(each.stage), each.dtype) + kDeclared);
  ASSERT_EQ(wrong.exit_code, 1) << wrong.messages;
  EXPECT_EQ(wrong.report.at("first_diverging_stage"), each.reader);
}

INSTANTIATE_TEST_SUITE_P(
    Types, SixteenBits,
    testing::Values(Narrow{"float16", at::kHalf, "attention_layer", "value_proj", "msda.output"},
                    Narrow{"bfloat16", at::kBFloat16, "attention_layer", "value_proj", "msda.output"},
                    Narrow{"float16", at::kHalf, "decoder_layer", "cross_attn_layer_norm", "self_attn.query"},
                    Narrow{"bfloat16", at::kBFloat16, "decoder_layer", "cross_attn_layer_norm",
                           "self_attn.query"},
                    Narrow{"float16", at::kHalf, "mask_predictor", "layernorm", "layernorm"},
                    Narrow{"bfloat16", at::kBFloat16, "mask_predictor", "layernorm", "layernorm"}),
    [](const auto& each) { return testing::PrintToString(each.param); });

}  // namespace
}  // namespace deformdiff::worker
