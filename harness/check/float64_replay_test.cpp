// What the replay in float64 sees of float32 exports: constants that are wrong, not ones that are rounded.
#include "check/tampered_export_test.h"

#include <memory>
#include <string>

#include <ATen/ops/_cast_Float.h>
#include <ATen/ops/layer_norm.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

/// The last norm has this epsilon.
Tampers with_epsilon(double epsilon) {
  return [=](const Call& call) -> Tamper {
    const auto x = std::make_shared<at::Tensor>();
    return [=, &call](const std::string& name, const at::Tensor& value) {
      if (name == "ffn_residual") *x = value;
      if (name != "final_layer_norm") return value;
      return at::layer_norm(*x, {value.size(-1)}, call.input("param.final_layer_norm.weight"),
                            call.input("param.final_layer_norm.bias"), epsilon);
    };
  };
}

/// The temperatures are a constant of the graph, as float32 holds them.
Tamper with_table(const Call&) {
  return
      [](const std::string& name, const at::Tensor& value) { return name == "dim_t" ? baked(value) : value; };
}

/// Softmax is told to compute in float32, as code for mixed precision does.
Tamper with_cast(const Call&) {
  return [](const std::string& name, const at::Tensor& value) {
    return is_stage(name, "scores") ? value.to(at::kDouble).to(at::kFloat) : value;
  };
}

/// A cast that names its dtype in the operator's name.
Tamper with_old_cast(const Call&) {
  return [](const std::string& name, const at::Tensor& value) {
    return is_stage(name, "ffn_residual") ? at::_cast_Float(value) : value;
  };
}

struct Raised {
  const char* name;
  const char* block;
  Tampers tampers;
  const char* verdict;  ///< of float64/same_shape; that of every other scenario is agree
};

void PrintTo(const Raised& each, std::ostream* out) {
  *out << each.name;
}

class Float64Replay : public testing::TestWithParam<Raised> {};

TEST_P(Float64Replay, TellsWrongConstantsFromRoundedOnes) {
  const Raised& each = GetParam();
  const std::string name = std::string("float64_") + each.name, verdict = each.verdict;
  const Checked checked = check(name, exported(name, each.block, each.tampers));
  EXPECT_EQ(checked.exit_code, verdict == "out_of_bound" ? 1 : 0) << checked.messages;
  bool replayed = false;
  for (const auto& scenario : checked.report.at("scenarios")) {
    const bool in_float64 = scenario.at("name") == "float64/same_shape";
    replayed = replayed || (in_float64 && scenario.at("verdict") == verdict);
    if (!in_float64) {
      EXPECT_TRUE(scenario.at("verdict") == "agree" || scenario.at("verdict") == "vacuous")
          << scenario.dump();
    } else if (verdict == "agree") {
      EXPECT_EQ(scenario.at("verdict"), verdict) << scenario.dump();
    }
  }
  EXPECT_TRUE(replayed) << checked.report.dump(1);
}

INSTANTIATE_TEST_SUITE_P(
    Check, Float64Replay,
    testing::Values(Raised{"wrong_epsilon", "decoder_layer", with_epsilon(1.01e-5), "out_of_bound"},
                    Raised{"rounded_epsilon", "decoder_layer", with_epsilon(1e-5F), "agree"},
                    Raised{"rounded_table", "position_embedding", with_table, "agree"},
                    Raised{"cast", "decoder_layer", with_cast, "agree"},
                    Raised{"old_cast", "decoder_layer", with_old_cast, "vacuous"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace deformdiff::worker
