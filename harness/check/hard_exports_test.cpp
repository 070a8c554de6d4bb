// Exports that are wrong only on inputs that are rare: `deformdiff check` finds each without being given any.
#include "check/tampered_export_test.h"
#include "subjects/tracing/recorded_size.h"

#include <memory>
#include <ostream>
#include <set>

#include <ATen/ScalarOps.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/where.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/frontend/tracer.h>

namespace deformdiff::worker {
namespace {

/// An extent that a trace computes, as a tensor of one element.
at::Tensor extent(const at::Tensor& tensor, std::int64_t axis) {
  return torch::jit::tracer::getSizeOf(tensor, axis);
}

/// The stage is wrong where `condition`, of its value and the call, is 1.
Tampers wrong_where(const char* stage, at::Tensor (*condition)(const Call&, const at::Tensor&)) {
  return [=](const Call& call) -> Tamper {
    return [=, &call](const std::string& name, const at::Tensor& value) {
      if (!is_stage(name, stage)) return value;
      return value + 0.25 * condition(call, value).to(value.scalar_type());
    };
  };
}

at::Tensor is_one_row(const Call&, const at::Tensor& map) {
  return extent(map, 2) == 1;
}

at::Tensor is_not_resized(const Call& call, const at::Tensor& map) {
  const at::Tensor& from = call.input("pixel_embeddings");
  return (extent(map, 2) == extent(from, 2))
      .logical_and(extent(map, 3) == extent(from, 3))
      .logical_and(extent(map, 0) > 1);
}

at::Tensor has_many_rows(const Call&, const at::Tensor& coordinates) {
  return extent(coordinates, 1) > 256;
}

/// The norm behind the first residual sum has no epsilon.
Tamper without_epsilon(const Call& call) {
  const auto x = std::make_shared<at::Tensor>();
  return [x, &call](const std::string& name, const at::Tensor& value) {
    if (name == "cross_attn_residual") *x = value;
    if (name != "cross_attn_layer_norm") return value;
    return at::layer_norm(*x, {value.size(-1)}, call.input("param.cross_attn_layer_norm.weight"),
                          call.input("param.cross_attn_layer_norm.bias"), 0);
  };
}

/// Softmax as its formula stands there.
Tamper without_maximum(const Call&) {
  const auto scores = std::make_shared<at::Tensor>();
  return [scores](const std::string& name, const at::Tensor& value) {
    if (is_stage(name, "scores")) *scores = value;
    if (!is_stage(name, "probabilities")) return value;
    const at::Tensor exponentials = scores->exp();
    return exponentials / exponentials.sum(-1, /*keepdim=*/true);
  };
}

/// Softmax as kernels of the Flash type compute it, with log2 e as they are given it.
Tampers by_exp2(double log2e) {
  return [=](const Call&) -> Tamper {
    const auto scores = std::make_shared<at::Tensor>();
    return [=](const std::string& name, const at::Tensor& value) {
      if (is_stage(name, "scores")) *scores = value;
      if (!is_stage(name, "probabilities")) return value;
      const at::Tensor products = *scores * log2e;
      const at::Tensor powers = (products - products.amax({-1}, /*keepdim=*/true)).exp2();
      return powers / powers.sum(-1, /*keepdim=*/true);
    };
  };
}

/// Masks are float16 numbers when they are resized; what is returned is not.
Tamper resized_in_float16(const Call&) {
  const auto logits = std::make_shared<at::Tensor>();
  return [logits](const std::string& name, const at::Tensor& value) {
    if (is_stage(name, "mask_logits")) *logits = value.to(at::kHalf).to(value.scalar_type());
    if (!is_stage(name, "resized_mask_logits")) return value;
    return resize_map(*logits, Size::of(value, 2), Size::of(value, 3));
  };
}

Tamper threshold_included(const Call&) {
  const auto probabilities = std::make_shared<at::Tensor>();
  return [probabilities](const std::string& name, const at::Tensor& value) {
    if (is_stage(name, "mask_probabilities")) *probabilities = value;
    if (!is_stage(name, "attention_mask_raw")) return value;
    const at::Tensor blocked = probabilities->flatten(2) <= 0.5;
    return blocked.unsqueeze(1).expand({-1, 2, -1, -1}).flatten(0, 1);
  };
}

/// The other heads' masks are added to each head's.
Tamper masks_of_all_heads(const Call& call) {
  return [&call](const std::string& name, const at::Tensor& value) {
    if (!is_stage(name, "cross_attn.scores")) return value;
    const at::Tensor blocked = call.input("attention_mask").unflatten(0, {-1, 2});
    const at::Tensor any = blocked.select(1, 0).logical_or(blocked.select(1, 1)).unsqueeze(1);
    return value.unflatten(0, {-1, 2}).masked_fill(any, -INFINITY).flatten(0, 1);
  };
}

struct Export {
  const char* name;
  const char* block;
  Tampers tampers;
  const char* found_by;  ///< a scenario; empty where ordinary inputs may be such, too
};

void PrintTo(const Export& each, std::ostream* out) {
  *out << each.name;
}

class RarelyWrong : public testing::TestWithParam<Export> {};

TEST_P(RarelyWrong, IsFoundByDefault) {
  const Export& each = GetParam();
  const std::string name = std::string("rarely_") + each.name;
  const Checked checked = check(name, exported(name, each.block, each.tampers));
  ASSERT_EQ(checked.exit_code, 1) << checked.messages;
  std::set<std::string> failing;
  for (const auto& scenario : checked.report.at("scenarios")) {
    if (scenario.at("verdict") == "agree" || scenario.at("verdict") == "vacuous") continue;
    failing.insert(scenario.at("name").get<std::string>());
  }
  if (*each.found_by != '\0') {
    EXPECT_TRUE(failing.contains(each.found_by)) << testing::PrintToString(failing);
    EXPECT_FALSE(failing.contains("other_values"));
  }
  EXPECT_EQ(checked.report.at("cause"), "wrong_stage");
}

INSTANTIATE_TEST_SUITE_P(
    Check, RarelyWrong,
    testing::Values(
        Export{"one_row", "mask_predictor", wrong_where("resized_mask_logits", is_one_row), "one_row"},
        Export{"same_size", "mask_predictor", wrong_where("resized_mask_logits", is_not_resized), ""},
        Export{"many_rows", "position_embedding", wrong_where("y_embed", has_many_rows), "many_rows"},
        Export{"without_epsilon", "decoder_layer", without_epsilon, "small_variance"},
        Export{"without_maximum", "decoder_layer", without_maximum, "large_scores"},
        Export{"resized_in_float16", "mask_predictor", resized_in_float16, "cancelling"},
        Export{"threshold_included", "mask_predictor", threshold_included, "at_threshold"},
        Export{"masks_of_all_heads", "decoder_layer", masks_of_all_heads, "mask_by_head"}),
    [](const auto& info) { return std::string(info.param.name); });

/// Blocked keys get a penalty instead of minus infinity, as `scores + mask * -1e9` writes it: a trace holds
/// the factor as a tensor of one double, where it was a number of no dtype of its own.
Tamper penalised(const Call& call) {
  return [&call](const std::string& name, const at::Tensor& value) {
    if (!is_stage(name, "cross_attn.scores")) return value;
    const at::Tensor penalty = call.input("attention_mask") * at::native::wrapped_scalar_tensor(-1e9);
    return value.masked_fill(call.input("attention_mask"), 0) + penalty;
  };
}

/// The variance is mean(x^2) - mean^2, and not below zero.
Tamper of_one_pass(const Call& call) {
  const auto x = std::make_shared<at::Tensor>();
  return [x, &call](const std::string& name, const at::Tensor& value) {
    if (name == "cross_attn_residual") *x = value;
    if (name != "cross_attn_layer_norm") return value;
    const at::Tensor mean = x->mean(-1, /*keepdim=*/true);
    const at::Tensor variance = ((*x * *x).mean(-1, /*keepdim=*/true) - mean * mean).clamp_min(0);
    return (*x - mean) / (variance + 1e-5).sqrt() * call.input("param.cross_attn_layer_norm.weight") +
           call.input("param.cross_attn_layer_norm.bias");
  };
}

/// A constant table of temperatures, of which one is off by a millionth.
Tamper table_slightly_off(const Call&) {
  return [](const std::string& name, const at::Tensor& value) {
    if (name != "dim_t") return value;
    at::Tensor table = value.clone();
    table[2].mul_(1 + 1e-6);
    return baked(table);
  };
}

TEST(Positions, ATableThatNoPathNamesIsSeenWhereItIsSlightlyOff) {
  const Checked checked = check("table", exported("table", "position_embedding", table_slightly_off));
  ASSERT_EQ(checked.exit_code, 1) << checked.messages;
  EXPECT_EQ(checked.report.at("first_diverging_stage"), "dim_t");
}

TEST(Softmax, ByExp2IsRightWithLog2OfEAndNothingElse) {
  const Checked right = check("exp2", exported("exp2", "decoder_layer", by_exp2(1.4426950408889634)));
  EXPECT_EQ(right.exit_code, 0) << right.messages << right.report.dump(1);
  const Checked wrong = check("exp2_off", exported("exp2_off", "decoder_layer", by_exp2(1.4427)));
  EXPECT_EQ(wrong.exit_code, 1) << wrong.messages;
}

TEST(Declarations, DecideWhatIsAgreed) {
  const std::string arguments = exported("one_pass", "decoder_layer", of_one_pass);
  const Checked free = check("one_pass", arguments);
  EXPECT_EQ(free.exit_code, 0) << free.report.dump(1);
  EXPECT_EQ(check("one_pass", arguments + " --declare variance=centred").exit_code, 1);
  EXPECT_EQ(check("one_pass", arguments + " --declare dtypes=float64").exit_code, 4);
}

TEST(Declarations, ThatNobodyKnowsAreRefused) {
  const std::string arguments = exported("undeclared", "position_embedding", of_one_pass);
  for (const char* declared :
       {"varance=centred", "variance=some", "variance", "variance=any --declare variance=any"}) {
    const Checked checked = check("undeclared", arguments + " --declare " + declared);
    EXPECT_EQ(checked.exit_code, 2) << declared;
    EXPECT_NE(checked.messages.find("declaration"), std::string::npos) << checked.messages;
  }
}

TEST(PlainInterpreter, IsNotHeldAgainstAModuleThatTheExecutorRuns) {
  const Checked checked = check("penalised", exported("penalised", "decoder_layer", penalised));
  EXPECT_EQ(checked.exit_code, 0) << checked.messages << checked.report.dump(1);
  const std::string warnings = checked.report.at("warnings").dump();
  EXPECT_NE(warnings.find("expected scalar type"), std::string::npos) << warnings;
}

}  // namespace
}  // namespace deformdiff::worker
