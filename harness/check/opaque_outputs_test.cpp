// What `deformdiff check --block opaque` says of modules whose results it cannot compare.
#include "check/run_check_test.h"

#include <string>

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

namespace deformdiff::worker {
namespace {

struct Results {
  const char* name;
  const char* body;  ///< of forward(self, x: Tensor)
  const char* said;  ///< a part of the reason; empty if the module agrees
};

void PrintTo(const Results& each, std::ostream* out) {
  *out << each.name;
}

class OpaqueResults : public testing::TestWithParam<Results> {};

TEST_P(OpaqueResults, AreSaidWhereNothingIsCompared) {
  const Results& each = GetParam();
  const std::string name = std::string("opaque_returns_") + each.name;
  torch::jit::Module module("Model");
  module.define(std::string("def forward(self, x):\n  ") + each.body + "\n");
  const std::filesystem::path model = folder() / (name + ".pt"), inputs = folder() / (name + ".safetensors");
  module.save(model.string());
  SafetensorsFile example;
  example.tensors.push_back({"in.x", from_torch(at::ones({2, 3}))});
  write_safetensors(inputs, example);
  const Checked checked = check(name, model.string() + " --block opaque --inputs " + inputs.string());
  const bool agrees = *each.said == '\0';
  ASSERT_EQ(checked.exit_code, agrees ? 0 : 4) << checked.messages << checked.report.dump(1);
  if (agrees) return;
  for (const auto& scenario : checked.report.at("scenarios")) {
    EXPECT_EQ(scenario.at("verdict"), "vacuous");
    EXPECT_NE(scenario.at("reason").get<std::string>().find(each.said), std::string::npos) << scenario.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Check, OpaqueResults,
    testing::Values(Results{"none", "return None", "None"}, Results{"text", "return 'done'", "str"},
                    Results{"empty_list", "y : List[Tensor] = []\n  return y", "List[Tensor]"},
                    Results{"sparse", "return x.to_sparse()", "output.0 is"},
                    Results{"complex", "return torch.view_as_complex(x[:, :2].contiguous())", "output.0 is"},
                    Results{"meta", "return torch.empty([2], device='meta')", "output.0 is"},
                    Results{"sparse_and_dense", "return x.to_sparse(), 2 * x", ""}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace deformdiff::worker
