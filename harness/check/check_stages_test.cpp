// Which stages `deformdiff check` recognises in a decoder layer whose code is not ours: batch first inside,
// its attentions written out where no submodule names their parts.
#include "check/run_check_test.h"
#include "subjects/mask2former/test_calls.h"

#include <fstream>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Module;

constexpr const char* kSelfAttention = R"(
def heads(self, x):
  return x.view(x.size(0), x.size(1), 2, -1).transpose(1, 2).reshape(x.size(0) * 2, x.size(1), -1)
def forward(self, x, position):
  query = x + position
  q = self.q_proj.forward(query) * 0.5
  k = self.k_proj.forward(query)
  v = self.v_proj.forward(x)
  probabilities = torch.softmax(torch.bmm(self.heads(q), self.heads(k).transpose(1, 2)), -1)
  context = torch.bmm(probabilities, self.heads(v))
  joined = context.view(x.size(0), 2, x.size(1), -1).transpose(1, 2).reshape(x.size(0), x.size(1), -1)
  return self.out_proj.forward(joined), probabilities.view(x.size(0), 2, x.size(1), x.size(1))
)";

constexpr const char* kLayer = R"(
def heads(self, x):
  return x.view(x.size(0), x.size(1), 2, -1).transpose(1, 2).reshape(x.size(0) * 2, x.size(1), -1)
def forward(self, hidden_states, query_position_embeddings, encoder_hidden_states, position_embeddings, attention_mask):
  x = hidden_states.transpose(0, 1)
  position = query_position_embeddings.transpose(0, 1)
  memory = encoder_hidden_states.transpose(0, 1)
  w = torch.chunk(self.cross_attn.in_proj_weight, 3)
  b = torch.chunk(self.cross_attn.in_proj_bias, 3)
  q = torch.linear(x + position, w[0], b[0]) * 0.5
  k = torch.linear(memory + position_embeddings.transpose(0, 1), w[1], b[1])
  v = torch.linear(memory, w[2], b[2])
  scores = torch.bmm(self.heads(q), self.heads(k).transpose(1, 2)).masked_fill(attention_mask, float('-inf'))
  probabilities = torch.softmax(scores, -1)
  context = torch.bmm(probabilities, self.heads(v))
  joined = context.view(x.size(0), 2, x.size(1), -1).transpose(1, 2).reshape(x.size(0), x.size(1), -1)
  output = torch.linear(joined, self.cross_attn.out_proj.weight, self.cross_attn.out_proj.bias)
  x = self.cross_attn_layer_norm.forward(x + output)
  output, self_weights = self.self_attn.forward(x, position)
  x = self.self_attn_layer_norm.forward(x + output)
  x = self.final_layer_norm.forward(x + self.fc2.forward(torch.relu(self.fc1.forward(x))))
  return x.transpose(0, 1), self_weights, probabilities.view(x.size(0), 2, probabilities.size(1), -1).mean([1])
)";

/// Modules with the parameters of a call.
class Parts {
 public:
  explicit Parts(const Call& call) : call_(call) {}

  Module linear(const std::string& path) const {
    return leaf(path, "def forward(self, x):\n  return torch.linear(x, self.weight, self.bias)\n");
  }
  Module norm(const std::string& path) const {
    return leaf(path,
                "def forward(self, x):\n"
                "  return torch.layer_norm(x, [x.size(-1)], self.weight, self.bias, 1e-5)\n");
  }
  Module module() const {
    Module made(c10::QualifiedName("__torch__.Part"), unit_, /*shouldMangle=*/true);
    made.register_attribute("training", c10::BoolType::get(), false);
    return made;
  }
  at::Tensor parameter(const std::string& name) const { return call_.input("param." + name); }

 private:
  Module leaf(const std::string& path, const char* source) const {
    Module made = module();
    made.register_parameter("weight", parameter(path + ".weight"), false);
    made.register_parameter("bias", parameter(path + ".bias"), false);
    made.define(source);
    return made;
  }

  const Call& call_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_ = std::make_shared<torch::jit::CompilationUnit>();
};

/// `from` of the layer's source, which must be there, is `to`.
struct Change {
  std::string from, to;
};

std::string changed(std::string source, const Change& change) {
  const std::size_t at = source.find(change.from);
  if (at == std::string::npos) throw std::invalid_argument(change.from);
  return source.replace(at, change.from.size(), change.to);
}

Module decoder_layer(const Call& call, const Change& of_layer, const Change& of_self_attention) {
  const Parts parts(call);
  Module cross = parts.module();
  for (const char* name : {"in_proj_weight", "in_proj_bias"}) {
    cross.register_parameter(name, parts.parameter(std::string("cross_attn.") + name), false);
  }
  cross.register_module("out_proj", parts.linear("cross_attn.out_proj"));
  Module self = parts.module();
  for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
    self.register_module(name, parts.linear(std::string("self_attn.") + name));
  }
  self.define(changed(kSelfAttention, of_self_attention));
  Module layer = parts.module();
  layer.register_module("cross_attn", cross);
  layer.register_module("self_attn", self);
  for (const char* name : {"cross_attn_layer_norm", "self_attn_layer_norm", "final_layer_norm"}) {
    layer.register_module(name, parts.norm(name));
  }
  for (const char* name : {"fc1", "fc2"}) layer.register_module(name, parts.linear(name));
  layer.define(changed(kLayer, of_layer));
  return layer;
}

Checked check_layer(const std::string& name, const Change& of_layer,
                    const Change& of_self_attention = {"", ""}) {
  const TestCall owner = test_call("decoder_layer", 2, /*masked=*/true, at::kFloat);
  const Call call = owner();
  const std::filesystem::path model = folder() / (name + ".pt"), config = folder() / (name + ".config.json");
  decoder_layer(call, of_layer, of_self_attention).save(model.string());
  std::ofstream(config) << R"({"num_heads": 2})";
  return check(name, model.string() + " --block decoder_layer --config " + config.string() +
                         example_flags(name, call));
}

/// Stages judged in a scenario.
std::vector<std::string> stages_of(const Checked& checked, const std::string& scenario) {
  std::vector<std::string> stages;
  for (const auto& row : checked.report.at("scenarios")) {
    if (row.at("name") == scenario && row.at("stage") != "outputs") stages.push_back(row.at("stage"));
  }
  return stages;
}

TEST(CheckStages, AxesInAnotherOrderAreRecognisedByTheirValues) {
  const Checked checked = check_layer("stages_batch_first", {"", ""});
  ASSERT_EQ(checked.exit_code, 0) << checked.messages << checked.report.dump(1);
  for (const char* scenario : {"same_shape", "other_batch"}) {
    EXPECT_EQ(stages_of(checked, scenario).size(), 31U) << scenario;
  }
}

struct Fault {
  const char* name;
  Change change;
  const char* stage;  ///< the first that diverges
};

void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.name;
}

class FaultOfAttention : public testing::TestWithParam<Fault> {};

TEST_P(FaultOfAttention, NamesTheStage) {
  const Fault& fault = GetParam();
  const Checked checked = check_layer(std::string("attention_") + fault.name, fault.change);
  ASSERT_EQ(checked.exit_code, 1) << checked.messages;
  EXPECT_EQ(checked.report.at("first_diverging_stage"), std::string(fault.stage));
}

const Fault kFaults[] = {
    {"scale", {"w[0], b[0]) * 0.5", "w[0], b[0]) * 0.505"}, "cross_attn.q_scaled"},
    {"key", {"memory + position_embeddings.transpose(0, 1)", "memory"}, "cross_attn.key"},
    {"no_mask", {".masked_fill(attention_mask, float('-inf'))", ""}, "cross_attn.scores"},
    {"weak_mask", {"float('-inf')", "-5."}, "cross_attn.scores"},
    {"inverted_mask",
     {"masked_fill(attention_mask,", "masked_fill(attention_mask.logical_not(),"},
     "cross_attn.scores"},
    {"softmax_axis", {"torch.softmax(scores, -1)", "torch.softmax(scores, -2)"}, "cross_attn.probabilities"},
    {"softmax", {"torch.softmax(scores, -1)", "torch.sigmoid(scores)"}, "cross_attn.probabilities"},
    {"context",
     {"torch.bmm(probabilities, self.heads(v))", "torch.bmm(probabilities * 1.01, self.heads(v))"},
     "cross_attn.context"},
    {"output",
     {"torch.linear(joined, self.cross_attn.out_proj.weight, self.cross_attn.out_proj.bias)",
      "torch.linear(joined, self.cross_attn.out_proj.weight.t(), self.cross_attn.out_proj.bias)"},
     "cross_attn"},
    {"fused",
     {"  joined = context",
      "  context = torch.scaled_dot_product_attention(self.heads(q) * 2, self.heads(k), self.heads(v), "
      "attention_mask)\n"
      "  joined = context"},
     "cross_attn.context"}};

INSTANTIATE_TEST_SUITE_P(CheckStages, FaultOfAttention, testing::ValuesIn(kFaults),
                         [](const auto& info) { return info.param.name; });

/// Ways of computing that leave stages out, and are right.
TEST(CheckStages, WhatIsComputedOtherwiseIsNotBlamed) {
  const std::pair<const char*, Change> right[] = {
      {"large_negative", {"float('-inf')", "-1e9"}},
      {"scaled_key",
       {"torch.bmm(self.heads(q), self.heads(k)", "torch.bmm(self.heads(q) * 2, (self.heads(k) * 0.5)"}},
      {"fused",
       {"  joined = context",
        "  context = torch.scaled_dot_product_attention(self.heads(q) * 2, self.heads(k), self.heads(v), "
        "attention_mask.logical_not())\n  joined = context"}}};
  for (const auto& [name, change] : right) {
    const Checked checked = check_layer(std::string("right_") + name, change);
    EXPECT_EQ(checked.exit_code, 0) << name << checked.messages << checked.report.dump(1);
  }
}

/// As Detectron2's convolutions own norms that some code calls itself.
TEST(CheckStages, AModuleWhosePartIsCalledOutsideOfItIsNotTheWhole) {
  const Checked checked = check_layer("right_part_outside",
                                      {"output, self_weights = self.self_attn.forward(x, position)",
                                       "joined, self_weights = self.self_attn.forward(x, position)\n"
                                       "  output = self.self_attn.out_proj.forward(joined)"},
                                      {"self.out_proj.forward(joined)", "joined"});
  EXPECT_EQ(checked.exit_code, 0) << checked.messages << checked.report.dump(1);
  EXPECT_EQ(stages_of(checked, "same_shape").size(), 31U);
}

/// All lines of advice.
std::string advice_of(const Checked& checked) {
  std::string text;
  for (const auto& line : checked.report.at("advice")) text += line.get<std::string>() + "\n";
  return text;
}

TEST(CheckCauses, AFaultOfSomeSizesSaysWhich) {
  const Checked checked = check_layer(
      "cause_sizes", {"torch.softmax(scores, -1)", "torch.softmax(scores, -1) * (1 + scores.size(2) % 4)"});
  ASSERT_EQ(checked.exit_code, 1) << checked.messages;
  EXPECT_EQ(checked.report.at("cause"), "wrong_stage");
  EXPECT_NE(advice_of(checked).find("Wrong only where K is "), std::string::npos) << advice_of(checked);
  EXPECT_NE(advice_of(checked).find("(right at 12)"), std::string::npos) << advice_of(checked);
}

TEST(CheckCauses, AModelThatWritesIntoItsInputIsToldSo) {
  const Checked checked = check_layer(
      "cause_modified",
      {"  return x.transpose(0, 1), self", "  hidden_states.add_(1)\n  return x.transpose(0, 1), self"});
  ASSERT_EQ(checked.exit_code, 1) << checked.messages;
  EXPECT_EQ(checked.report.at("cause"), "unknown");
  EXPECT_NE(advice_of(checked).find("The model writes into its input hidden_states"), std::string::npos)
      << advice_of(checked);
}

}  // namespace
}  // namespace deformdiff::worker
