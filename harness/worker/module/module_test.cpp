// Exported modules, on tiny ones that are compiled from source here.
#include "core/test_folder.h"
#include "worker/executor.h"
#include "worker/module/describe.h"
#include "worker/module/loader.h"
#include "worker/module/subject.h"
#include "worker/module/taps.h"
#include "worker/tensors.h"

#include <algorithm>
#include <caffe2/serialize/inline_container.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <unistd.h>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Module;

at::Tensor counting(at::IntArrayRef shape) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) elements *= extent;
  return at::arange(1, elements + 1, at::kFloat).view(shape) / 7;
}

Module module_of(const char* name) {
  Module module(c10::QualifiedName(std::string("__torch__.") + name),
                std::make_shared<torch::jit::CompilationUnit>());
  module.register_attribute("training", c10::BoolType::get(), false);
  return module;
}

void define(Module& module, const std::string& source) {
  module.define(source + "\n");
}

Module linear(std::int64_t in, std::int64_t out) {
  Module module = module_of("Linear");
  module.register_parameter("weight", counting({out, in}), false);
  module.register_parameter("bias", counting({out}), false);
  define(module, "def forward(self, x):\n  return torch.linear(x, self.weight, self.bias)");
  return module;
}

/// With a submodule fc, 4 to 4, and what else the source needs.
Module with_fc(const char* source) {
  Module module = module_of("Net");
  module.register_module("fc", linear(4, 4));
  define(module, source);
  return module;
}

/// A trace that never knew of the buffer holds its value.
void bake(Module& module, const char* buffer) {
  const at::Tensor value = module.attr(buffer).toTensor();
  const auto graph = torch::jit::toGraphFunction(module.get_method("forward").function()).graph();
  for (torch::jit::Node* node : graph->nodes()) {
    if (node->kind() != torch::jit::prim::GetAttr || node->s(torch::jit::attr::name) != buffer) continue;
    const torch::jit::WithInsertPoint here(node);
    node->output()->replaceAllUsesWith(graph->insertConstant(value));
  }
}

std::string refusal_of(const std::string& file) {
  const auto loaded = load_module(file);
  const auto* text = std::get_if<std::string>(&loaded);
  return text == nullptr ? "" : *text;
}

/// "kind scope" of each finding.
std::vector<std::string> audit_of(const Module& module, const std::string& file = "") {
  std::vector<std::string> findings;
  for (const AuditFinding& finding : describe(module, file).audit) {
    findings.push_back(finding.kind + " " + finding.scope);
  }
  return findings;
}

using Findings = std::vector<std::string>;

class Shown : public Taps {
 public:
  at::Tensor show(const std::string& name, const at::Tensor& value) override {
    names.push_back(name);
    values[name] = value;
    return value;
  }

  std::vector<std::string> names;
  std::map<std::string, at::Tensor> values;
};

std::vector<at::Tensor> run(const Module& module, const std::string& subject,
                            const std::vector<at::Tensor>& inputs, Taps* taps = nullptr) {
  const at::NoGradGuard no_grad;
  const std::vector<std::string> names(inputs.size(), "any");
  for (const auto& each : module_subjects(module)) {
    if (each->info().name == subject) return each->run({kOpaqueBlock, {}, names, inputs, taps});
  }
  throw std::invalid_argument(subject);
}

// Loading.

TEST(ModuleLoader, WhatIsNoModuleIsRefusedByName) {
  const TestFolder folder;
  std::ofstream(folder / "garbage.pt") << "this is no archive";
  std::ofstream(folder / "empty.pt");
  std::ofstream(folder / "truncated.pt") << "PK\3\4 and no more";
  for (const char* name : {"garbage.pt", "empty.pt", "truncated.pt", "missing.pt"}) {
    const std::string refusal = refusal_of(folder / name);
    EXPECT_NE(refusal.find(folder / name), std::string::npos) << name << ": " << refusal;
    EXPECT_EQ(refusal.find('\n'), std::string::npos) << refusal;
  }
  EXPECT_NE(refusal_of("/").find("cannot be read"), std::string::npos);
}

TEST(ModuleLoader, OtherArchivesAreToldApart) {
  const TestFolder folder;
  const auto archive = [&](const char* name, const std::map<std::string, std::string>& records) {
    caffe2::serialize::PyTorchStreamWriter writer(folder / name);
    for (const auto& [record, text] : records) writer.writeRecord(record, text.data(), text.size());
    writer.writeEndOfFile();
  };
  archive("a.pt2", {{"archive_format", "pt2"}, {"models/model.json", "{}"}});
  EXPECT_NE(refusal_of(folder / "a.pt2").find("torch.export package"), std::string::npos);
  archive("state.pt", {{"data.pkl", "x"}});
  EXPECT_NE(refusal_of(folder / "state.pt").find("torch.save"), std::string::npos);
  archive("ops.pt",
          {{"constants.pkl", "x"},
           {"code/__torch__.py", "  y = ops.mmcv.ms_deform_attn_forward(x)\n  z = ops.aten.relu(y)"}});
  const std::string refusal = refusal_of(folder / "ops.pt");
  EXPECT_NE(refusal.find("unsupported operator"), std::string::npos);
  EXPECT_NE(refusal.find("mmcv::ms_deform_attn_forward"), std::string::npos);
  EXPECT_EQ(refusal.find("relu"), std::string::npos);
}

// Describing.

TEST(ModuleDescribe, SaysWhatGoesInAndOut) {
  Module module = with_fc("def unused(self):\n  return 0");
  module.register_buffer("step", at::ones({1}, at::kInt));
  define(module,
         "def forward(self, x, n: int, mask: Optional[Tensor]):\n"
         "  y = self.fc.forward(x)\n"
         "  return y, {'a': [y * n, x + self.step]}, 3");
  const ModuleDescription said = describe(module, "");
  ASSERT_EQ(said.parameters.size(), 2U);
  EXPECT_EQ(said.parameters[0].name, "fc.weight");
  EXPECT_EQ(said.parameters[0].tensor.shape(), (Shape{4, 4}));
  ASSERT_EQ(said.buffers.size(), 1U);
  EXPECT_EQ(said.buffers[0].tensor.dtype(), DType::kInt64);
  ASSERT_EQ(said.inputs.size(), 3U);
  EXPECT_EQ(said.inputs[0], (ModuleInput{"x", "Tensor", true, {}}));
  EXPECT_EQ(said.inputs[1], (ModuleInput{"n", "int", false, {}}));
  EXPECT_TRUE(said.inputs[2].tensor);
  EXPECT_EQ(said.outputs, (std::vector<std::string>{"[0]", "[1].a[0]", "[1].a[1]"}));
  EXPECT_FALSE(said.training);
  EXPECT_FALSE(said.scripted);
  EXPECT_EQ(said.audit, std::vector<AuditFinding>{});
}

TEST(ModuleDescribe, KnowsControlFlowAndOutputsThatOnlyARunShows) {
  const Module module = with_fc(
      "def forward(self, x):\n"
      "  out = [x]\n"
      "  for i in range(x.size(0)):\n"
      "    out.append(self.fc.forward(x))\n"
      "  return out");
  const ModuleDescription said = describe(module, "");
  EXPECT_TRUE(said.scripted);
  EXPECT_EQ(run(module, "module/interpreter", {counting({3, 4})}).size(), 4U);
}

TEST(ModuleDescribe, ShapesWhenTracedComeFromTheFile) {
  const TestFolder folder;
  Module module = with_fc("def forward(self, x, shapes):\n  return self.fc.forward(x[0:1]), shapes[0]");
  EXPECT_EQ(audit_of(module), Findings{});
  module.store_traced_inputs("forward", {counting({1, 5, 4}), at::ones({2, 2}, at::kLong)});
  module.save(folder / "traced.pt");
  const auto loaded = load_module(folder / "traced.pt");
  ASSERT_TRUE(std::holds_alternative<Module>(loaded)) << std::get<std::string>(loaded);
  const ModuleDescription said = describe(std::get<Module>(loaded), folder / "traced.pt");
  EXPECT_EQ(said.inputs[0].traced, (Shape{1, 5, 4}));
  // The batch of x is known now; shapes are integers and have none.
  ASSERT_EQ(said.audit.size(), 1U);
  EXPECT_EQ(said.audit[0].kind, audit_kind::kBakedBatch);
  EXPECT_NE(said.audit[0].line.find("aten::slice"), std::string::npos) << said.audit[0].line;
}

// The audit.

TEST(ModuleAudit, WhatFollowsTheInputsIsClean) {
  EXPECT_EQ(audit_of(with_fc("def forward(self, x):\n"
                             "  b, n, c = x.shape\n"
                             "  position = torch.arange(n).to(x.dtype).view(1, n, 1)\n"
                             "  mask = torch.zeros([b, n, 1])\n"
                             "  x = x.masked_fill(mask > 0, 0.) + position\n"
                             "  return self.fc.forward(x).view(b, n, 2, 2).flatten(2), x.size(0)")),
            Findings{});
}

TEST(ModuleAudit, ZerosIntoALayer) {
  const Module module = with_fc(
      "def forward(self, x):\n"
      "  lost = torch.zeros([x.size(0), 4])\n"
      "  return x + self.fc.forward(lost), torch.ones([2]) * x.size(0)");
  EXPECT_EQ(audit_of(module), (Findings{"output_ignores_inputs ", "output_ignores_inputs "}));
  const auto audit = describe(module, "").audit;
  EXPECT_NE(audit[0].detail.find("linear of fc"), std::string::npos) << audit[0].detail;
  EXPECT_NE(audit[0].line.find("aten::zeros"), std::string::npos) << audit[0].line;
  EXPECT_NE(audit[1].detail.find("output.1"), std::string::npos) << audit[1].detail;
}

TEST(ModuleAudit, WhatIsWrittenIntoZerosCounts) {
  EXPECT_EQ(audit_of(with_fc("def forward(self, x):\n"
                             "  out = torch.zeros([x.size(0), 4])\n"
                             "  out[0:1].copy_(x[0:1])\n"
                             "  return self.fc.forward(out)")),
            Findings{});
}

TEST(ModuleAudit, AConstantWhereAnActivationBelongs) {
  Module module = with_fc("def unused(self):\n  return 0");
  module.register_buffer("kept", counting({1, 20, 4}));
  define(module, "def forward(self, x):\n  return x + self.fc.forward(self.kept)");
  EXPECT_EQ(audit_of(module), Findings{});
  bake(module, "kept");
  EXPECT_EQ(audit_of(module), Findings{"large_constant "});
  const std::string detail = describe(module, "").audit[0].detail;
  EXPECT_NE(detail.find("[1, 20, 4], float32"), std::string::npos) << detail;
  EXPECT_NE(detail.find("linear of fc computes from"), std::string::npos) << detail;
}

TEST(ModuleAudit, AFrozenModuleIsNoFinding) {
  Module module = module_of("Net");
  module.register_module("fc", linear(16, 16));
  define(module, "def forward(self, x):\n  return self.fc.forward(x)");
  EXPECT_EQ(audit_of(torch::jit::freeze(module)), Findings{});
}

TEST(ModuleAudit, AConstantNormaliser) {
  Module module = with_fc("def unused(self):\n  return 0");
  module.register_buffer("sizes", at::tensor({4, 2, 5, 4}, at::kLong).view({2, 2}));
  module.register_buffer("scale", at::tensor({0.5, 2.0}, at::kFloat));
  define(module, "def forward(self, x):\n  return x * self.scale / self.sizes.unsqueeze(0)");
  bake(module, "scale");
  EXPECT_EQ(audit_of(module), Findings{});
  bake(module, "sizes");
  EXPECT_EQ(audit_of(module), Findings{"baked_shape "});
}

TEST(ModuleAudit, AConstantNormaliserTurnedRound) {
  Module module = with_fc("def unused(self):\n  return 0");
  module.register_buffer("sizes", at::tensor({4, 2, 5, 4}, at::kLong).view({2, 2}));
  define(module, "def forward(self, x):\n  return x / self.sizes.flip([1]).to(6).unsqueeze(1)");
  bake(module, "sizes");
  EXPECT_EQ(audit_of(module), Findings{"baked_shape "});
}

TEST(ModuleAudit, MapsOfFixedExtents) {
  const char* source =
      "def forward(self, x, grid):\n"
      "  b, n, c = x.shape\n"
      "  low, high = x.view(b, n, 4).split([6, n - 6], 1)\n"
      "  map = low.transpose(1, 2).reshape(b, c, 2, 3)\n"
      "  return torch.grid_sampler(map, grid, 0, 0, False), high, x.split([1, 3], 2)[0]";
  EXPECT_EQ(audit_of(with_fc(source)), Findings{"baked_shape "});
  std::string fixed = source;
  fixed.replace(fixed.find("n - 6"), 5, "8");
  EXPECT_EQ(audit_of(with_fc(fixed.c_str())), (Findings{"baked_shape ", "baked_shape "}));
}

/// Of a module with a linear layer of four channels that was traced on x of shape [1, 5, 4].
Findings audit_of_traced(const std::string& result) {
  const TestFolder folder;
  Module module = with_fc(("def forward(self, x):\n"
                           "  y = self.fc.forward(x)\n"
                           "  return " +
                           result)
                              .c_str());
  module.store_traced_inputs("forward", {counting({1, 5, 4})});
  module.save(folder / "traced.pt");
  return audit_of(std::get<Module>(load_module(folder / "traced.pt")), folder / "traced.pt");
}

TEST(ModuleAudit, FewTokensOfFixedNumber) {
  for (const char* fixed : {"y.view(x.size(0), 5, 2, 2)", "y.reshape(x.size(0), 5, x.size(2))"})
    EXPECT_EQ(audit_of_traced(fixed), Findings{"baked_shape "}) << fixed;
  // Computed; another axis than that of the tokens; another number than theirs; nothing says what follows it.
  for (const char* right :
       {"y.view(x.size(0), x.size(1), 2, 2)", "y.view(x.size(0), 2, 5, 2)",
        "y.view(x.size(0), 10, x.size(2) // 2)", "y.view(x.size(0), 5, 2, x.size(2) // 2)"})
    EXPECT_EQ(audit_of_traced(right), Findings{}) << right;
}

TEST(ModuleAudit, BatchesOfFixedSize) {
  const auto of_map = [](const char* rest) {
    Module module = module_of("Net");
    module.register_parameter("w", counting({4, 4, 1, 1}), false);
    define(module, std::string("def forward(self, x):\n  y = torch.conv2d(x, self.w)\n  ") + rest);
    return audit_of(module);
  };
  EXPECT_EQ(of_map("return y[:, 0], y.flatten(2).transpose(1, 2)[:, 0:2], y.permute(1, 0, 2, 3)[0]"),
            Findings{});
  EXPECT_EQ(of_map("return y[0]"), Findings{"baked_batch "});
  EXPECT_EQ(of_map("return torch.unflatten(y, 1, [2, 2]).narrow(0, 1, 1)"), Findings{"baked_batch "});
  EXPECT_EQ(of_map("return torch.unflatten(y, 1, [2, 2]).narrow(1, 1, 1)"), Findings{});
  EXPECT_EQ(of_map("return torch.cat([y.flatten(2).transpose(1, 2)[0:1]])"), Findings{"baked_batch "});
  EXPECT_EQ(of_map("return y.view(1, 4, y.size(2) * y.size(3))"), Findings{"baked_batch "});
  EXPECT_EQ(of_map("return y.view(1, -1, y.size(2), y.size(3))"), Findings{"baked_batch "});
  EXPECT_EQ(of_map("return y.view(-1, 4, y.size(2) * y.size(3))"), Findings{});
  EXPECT_EQ(of_map("return y.view(y.size(0), 4, y.size(2) * y.size(3))"), Findings{});
}

TEST(ModuleAudit, ModesAndDevices) {
  Module module = with_fc(
      "def forward(self, x):\n"
      "  x = torch.dropout(x, 0.5, False) + torch.zeros([4], device=torch.device('cuda:0'))\n"
      "  return torch.dropout(x, 0.5, True)");
  EXPECT_EQ(audit_of(module), (Findings{"baked_device ", "training_mode "}));
  // The flag itself does nothing: what it did to the graph counts.
  module.train();
  EXPECT_EQ(audit_of(module), (Findings{"baked_device ", "training_mode "}));
  EXPECT_TRUE(describe(module, "").training);
}

// Running.

TEST(ModuleSubject, TheFiveAgree) {
  const Module module = with_fc(
      "def forward(self, x, n: int):\n"
      "  y = torch.relu(self.fc.forward(x)) * n\n"
      "  return [y.to(6) * 0.1], {'sum': y.sum()}");
  const at::Tensor x = counting({3, 4}) - 1, n = at::scalar_tensor(3, at::kLong);
  const std::vector<at::Tensor> expected = run(module, "module/interpreter", {x, n});
  ASSERT_EQ(expected.size(), 2U);
  EXPECT_TRUE(at::allclose(expected[0], at::relu(at::linear(x, counting({4, 4}), counting({4}))) * 0.3));
  for (const char* subject : {"module/executor", "module/frozen", "module/inference"}) {
    EXPECT_TRUE(at::allclose(run(module, subject, {x, n})[0], expected[0])) << subject;
  }
  const auto wide = run(module, "module/float64", {x, n});
  ASSERT_EQ(wide[0].scalar_type(), at::kDouble);
  const auto weight = counting({4, 4}).to(at::kDouble), bias = counting({4}).to(at::kDouble);
  const at::Tensor exact = at::relu(at::linear(x.to(at::kDouble), weight, bias)) * 3 * 0.1;
  EXPECT_LT((wide[0] - exact).abs().max().item<double>(), 1e-14);
}

TEST(ModuleSubject, DoubleReachesWhatIsMadeInside) {
  Module module = with_fc("def unused(self):\n  return 0");
  module.register_buffer("third", at::full({1}, 1.0 / 3));
  define(module,
         "def forward(self, x):\n"
         "  a = torch.arange(x.size(0), dtype=6) / 3 + torch.linspace(0., 1., x.size(0))\n"
         "  for i in range(1):\n"
         "    a = a + torch.full([1], 0.1, dtype=6) + x.float() * self.third\n"
         "  return a");
  bake(module, "third");
  const at::Tensor x = counting({4});
  const at::Tensor third = at::full({1}, 1.0 / 3).to(at::kDouble);
  const at::Tensor exact =
      at::arange(4, at::kDouble) / 3 + at::linspace(0, 1, 4, at::kDouble) + 0.1 + x.to(at::kDouble) * third;
  const at::Tensor got = run(module, "module/float64", {x})[0];
  ASSERT_EQ(got.scalar_type(), at::kDouble);
  EXPECT_LT((got - exact).abs().max().item<double>(), 1e-15);
  EXPECT_EQ(at::zeros({1}).scalar_type(), at::kFloat);
}

TEST(ModuleSubject, WhatFailsInDoubleIsUnsupported) {
  const Module picky = with_fc(
      "def forward(self, x):\n"
      "  assert x.dtype == 6\n"
      "  return x");
  EXPECT_NO_THROW(run(picky, "module/interpreter", {counting({4})}));
  EXPECT_THROW(run(picky, "module/float64", {counting({4})}), c10::NotImplementedError);
}

TEST(ModuleSubject, AFailureSaysWhatHappened) {
  const Module module = with_fc("def forward(self, x):\n  return self.fc.forward(x)");
  for (const char* subject : {"module/interpreter", "module/executor", "module/float64"}) {
    try {
      run(module, subject, {counting({2, 3})});
      FAIL() << subject;
    } catch (const std::exception& error) {
      const std::string_view text = error.what();
      EXPECT_NE(text.substr(0, text.find('\n')).find("cannot be multiplied"), std::string::npos)
          << subject << ": " << text;
    }
  }
}

TEST(ModuleSubject, AnOpaqueCaseHasNumberedOutputs) {
  const Module module = with_fc("def forward(self, x):\n  return self.fc.forward(x), x.sum()");
  const SubjectList subjects = module_subjects(module);
  const Case c{kOpaqueBlock, {}, {{"x", from_torch(counting({2, 4}))}}, {}};
  const Outcome outcome =
      Executor().execute(*subjects.front(), c10::Device("cpu"), c, {.twice = true, .tap = true},
                         [](std::vector<NamedTensor>) { FAIL() << "stages of a small case sent ahead"; });
  ASSERT_EQ(outcome.kind, Outcome::Kind::kReturned) << outcome.message;
  ASSERT_EQ(outcome.outputs.size(), 2U);
  EXPECT_EQ(outcome.outputs[0].name, "output.0");
  EXPECT_EQ(outcome.outputs[1].name, "output.1");
  EXPECT_TRUE(outcome.repeated_bits);
  ASSERT_GE(outcome.stages.size(), 2U);
  EXPECT_EQ(outcome.stages[0].name, "fc:in");
  EXPECT_EQ(outcome.stages[1].name, "fc:out");
}

/// One call of forward(x), x counting from 1/7 in shape [2, 4], without taps.
Outcome outcome_of(const char* forward) {
  const SubjectList subjects = module_subjects(with_fc(forward));
  const Case c{kOpaqueBlock, {}, {{"x", from_torch(counting({2, 4}))}}, {}};
  return Executor().execute(*subjects.front(), c10::Device("cpu"), c, {}, [](std::vector<NamedTensor>) {});
}

TEST(ModuleSubject, OutputsThatCannotBeShownSayWhatTheyAre) {
  const std::pair<const char*, const char*> kinds[] = {
      {"x.to_sparse()", "output.0 is a sparse_coo tensor of shape [2, 4]"},
      {"x.to(device='meta')", "output.0 is a tensor of shape [2, 4] on device meta"},
      {"torch.complex(x, x)", "output.0 is a complex64 tensor of shape [2, 4]"},
      {"torch.quantize_per_tensor(x, 0.1, 0, 13)", "output.0 is a quint8 tensor of shape [2, 4]"},
      {"x.to_sparse(), x, x.to_sparse_csr()",
       "output.0 is a sparse_coo tensor of shape [2, 4]; output.2 is a sparse_csr tensor of shape [2, 4]"}};
  for (const auto& [value, said] : kinds) {
    const Outcome outcome = outcome_of((std::string("def forward(self, x):\n  return ") + value).c_str());
    EXPECT_EQ(outcome.kind, Outcome::Kind::kReturned) << value;
    EXPECT_EQ(outcome.message, said);
  }
}

TEST(ModuleSubject, LazyOutputsAreWhatTheyStandFor) {
  const at::Tensor x = counting({2, 4});
  const Outcome negated = outcome_of("def forward(self, x):\n  return torch._neg_view(x)"),
                zero =
                    outcome_of("def forward(self, x):\n  return torch._efficientzerotensor([2, 4], dtype=6)");
  ASSERT_EQ(negated.outputs.size(), 1U) << negated.message;
  EXPECT_EQ(negated.outputs[0].tensor, from_torch(x * -1));
  ASSERT_EQ(zero.outputs.size(), 1U) << zero.message;
  EXPECT_EQ(zero.outputs[0].tensor, from_torch(at::zeros({2, 4})));
}

TEST(ModuleSubject, WhatIsNotMadeInTheCallIsNotWrittenOver) {
  // A constant that the executor may fold, a parameter, and the input itself.
  const Module module = with_fc(
      "def forward(self, x):\n"
      "  return torch.ones([3]) * 2, self.fc.weight, x, x.t(), self.fc.forward(x)");
  const Case c{kOpaqueBlock, {}, {{"x", from_torch(counting({2, 4}))}}, {}};
  for (const std::unique_ptr<Subject>& subject : module_subjects(module)) {
    Executor executor;
    std::vector<NamedTensor> first;
    for (int round = 0; round < 4; ++round) {
      Outcome outcome = executor.execute(*subject, c10::Device("cpu"), c, {.twice = true}, {});
      ASSERT_EQ(outcome.kind, Outcome::Kind::kReturned) << outcome.message;
      EXPECT_EQ(outcome.modified, "");
      EXPECT_TRUE(outcome.repeated_bits) << subject->info().name;
      if (round == 0) first = outcome.outputs;
      EXPECT_EQ(outcome.outputs, first) << subject->info().name;
    }
    EXPECT_EQ(first.at(0).tensor.element(0), 2);
    EXPECT_EQ(first.at(2).tensor.element(0), c.inputs[0].tensor.element(0));
  }
}

// Taps.

TEST(ModuleTaps, CallsShowWhatGoesInAndOutAtThatMoment) {
  Module block = module_of("Block");
  block.register_module("fc", linear(4, 4));
  define(block,
         "def forward(self, x, y):\n"
         "  z = torch.relu_(self.fc.forward(x + y))\n"
         "  return z, y * 2");
  Module module = module_of("Net");
  module.register_module("block", block);
  define(module,
         "def forward(self, x):\n"
         "  a, b = self.block.forward(x, x - 1)\n"
         "  return self.block.forward(a, b)[0].exp()");
  Shown shown;
  const at::Tensor x = counting({2, 4}) - 3;
  const at::Tensor result = run(module, "module/interpreter", {x}, &shown)[0];
  const at::Tensor before = at::linear(x + x - 1, counting({4, 4}), counting({4}));
  EXPECT_TRUE(at::equal(shown.values.at("block#0:in"), x));
  EXPECT_TRUE(at::equal(shown.values.at("block#0:in1"), x - 1));
  EXPECT_TRUE(at::equal(shown.values.at("block.fc#0:in"), x + x - 1));
  EXPECT_TRUE(at::equal(shown.values.at("block.fc#0:out"), before));
  EXPECT_TRUE(at::equal(shown.values.at("block#0:out"), at::relu(before)));
  EXPECT_TRUE(at::equal(shown.values.at("block#0:out1"), (x - 1) * 2));
  EXPECT_TRUE(at::equal(shown.values.at("block#1:in"), at::relu(before)));
  const auto is_result = [&](const auto& each) {
    return each.first[0] == '%' && at::equal(each.second, result);
  };
  EXPECT_TRUE(std::any_of(shown.values.begin(), shown.values.end(), is_result));
  EXPECT_EQ(shown.names.size(), shown.values.size());
}

TEST(ModuleTaps, LoopsAreSeenTurnByTurn) {
  const Module module = with_fc(
      "def forward(self, x):\n"
      "  for i in range(3):\n"
      "    x = self.fc.forward(x * 2)\n"
      "  return x");
  Shown shown;
  const at::Tensor result = run(module, "module/interpreter", {counting({1, 4})}, &shown)[0];
  EXPECT_TRUE(at::equal(shown.values.at("fc#2:out"), result));
  EXPECT_TRUE(at::equal(shown.values.at("fc#1:in"), shown.values.at("fc#0:out") * 2));
}

TEST(ModuleTaps, InDoubleTheyAreDouble) {
  Shown shown;
  run(with_fc("def forward(self, x):\n  return self.fc.forward(x)"), "module/float64", {counting({1, 4})},
      &shown);
  EXPECT_EQ(shown.values.at("fc:out").scalar_type(), at::kDouble);
}

TEST(ModuleTaps, WhatIsTooMuchIsCounted) {
  const Module module = with_fc("def forward(self, x):\n  return self.fc.forward(x) + 1");
  const TappedGraph tapped(module);
  Shown shown;
  const auto interpret = [&] {
    torch::jit::Stack stack{module._ivalue(), counting({1, 4})};
    torch::jit::InterpreterState(torch::jit::Code(tapped.graph(), "forward")).run(stack);
  };
  tapped.show(shown, interpret, 2 * 4 * sizeof(float));
  EXPECT_EQ(shown.names, (std::vector<std::string>{"fc:in", "fc:out", ":cut"}));
  EXPECT_EQ(shown.values.at(":cut").item<std::int64_t>(), 1);
}

}  // namespace
}  // namespace deformdiff::worker
