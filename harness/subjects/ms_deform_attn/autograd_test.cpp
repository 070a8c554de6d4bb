// The operator under autograd, as a module that is trained calls it.
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/test_inputs.h"

#include <functional>
#include <string>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/basic_ops.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

/// Inputs of which value, sampling_loc and attn_weight require gradients as the bits of `which` say.
Inputs leaves(unsigned which = 7) {
  Inputs inputs = test_inputs({});
  inputs.value.requires_grad_((which & 1) != 0);
  inputs.sampling_loc.requires_grad_((which & 2) != 0);
  inputs.attn_weight.requires_grad_((which & 4) != 0);
  return inputs;
}

/// The message of what `work` throws; empty if it throws nothing.
std::string thrown(const std::function<void()>& work) {
  try {
    work();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

TEST(Autograd, GivesTheBackwardOfWhateverRequiresIt) {
  for (unsigned which = 1; which < 8; ++which) {
    const Inputs inputs = leaves(which);
    const at::Tensor grad_output = test_grad_output(inputs);
    const at::Tensor output = forward_operator(inputs);
    ASSERT_TRUE(output.requires_grad());
    output.backward(grad_output);
    const Gradients wanted = backward_cpu(test_inputs({}), grad_output);
    const std::pair<at::Tensor, at::Tensor> pairs[] = {{inputs.value, wanted.value},
                                                       {inputs.sampling_loc, wanted.sampling_loc},
                                                       {inputs.attn_weight, wanted.attn_weight}};
    for (const auto& [input, gradient] : pairs) {
      ASSERT_EQ(input.grad().defined(), input.requires_grad()) << which;
      if (input.requires_grad()) {
        EXPECT_TRUE(at::equal(input.grad(), gradient)) << which;
      }
    }
  }
}

TEST(Autograd, TakesTheGradientOfASumAndOfASlice) {
  const Inputs inputs = leaves();
  forward_operator(inputs).sum().backward();  // an expanded gradient
  const at::Tensor of_sum = inputs.value.grad().clone();
  const at::Tensor ones = test_grad_output(inputs).fill_(1);
  EXPECT_TRUE(at::equal(of_sum, backward_cpu(test_inputs({}), ones).value));
  inputs.value.mutable_grad().reset();
  forward_operator(inputs).transpose(0, 2).select(0, 3).sum().backward();  // a strided one
  at::Tensor slice = ones.zero_();
  slice.select(2, 3).fill_(1);
  EXPECT_TRUE(at::equal(inputs.value.grad(), backward_cpu(test_inputs({}), slice).value));
}

TEST(Autograd, RecordsNothingWhereNothingIsWanted) {
  const Inputs plain = test_inputs({});
  const at::Tensor wanted = forward_cpu(plain);
  const auto expect_plain = [&](const Inputs& inputs) {
    const at::Tensor output = forward_operator(inputs);
    EXPECT_FALSE(output.requires_grad());
    EXPECT_TRUE(at::equal(output, wanted));
    const Gradients gradients = backward_operator(inputs, wanted);
    EXPECT_FALSE(gradients.value.requires_grad());
    EXPECT_TRUE(at::equal(gradients.value, backward_cpu(plain, wanted).value));
  };
  expect_plain(plain);
  {
    const at::NoGradGuard no_grad;
    expect_plain(leaves());
  }
  const c10::InferenceMode inference;
  expect_plain(test_inputs({}));
  EXPECT_TRUE(forward_operator(plain).is_inference());
}

TEST(Autograd, PassesOnThatThereIsNoGradient) {
  const Inputs inputs = leaves();
  const at::Tensor output = torch::autograd::UndefinedGrad().apply({forward_operator(inputs)})[0];
  const auto gradients = torch::autograd::grad({output.sum()}, {inputs.value, inputs.attn_weight}, {},
                                               std::nullopt, false, /*allow_unused=*/true);
  for (const at::Tensor& gradient : gradients) EXPECT_FALSE(gradient.defined());
}

TEST(Autograd, RefusesToBeDifferentiatedTwice) {
  const Inputs inputs = leaves();
  const at::Tensor grad_output = test_grad_output(inputs).requires_grad_();
  const auto gradients = torch::autograd::grad({forward_operator(inputs)}, {inputs.value, inputs.attn_weight},
                                               {grad_output}, /*retain_graph=*/true, /*create_graph=*/true);
  EXPECT_TRUE(at::equal(gradients[0], backward_cpu(test_inputs({}), grad_output).value));
  for (const at::Tensor& input : {inputs.sampling_loc, grad_output}) {
    EXPECT_NE(thrown([&] {
                torch::autograd::grad({gradients[0].sum()}, {input}, {}, /*retain_graph=*/true);
              }).find("deformdiff::ms_deform_attn_backward has no derivative"),
              std::string::npos);
  }
}

TEST(Autograd, SeesThatAnInputWasChangedMeanwhile) {
  const Inputs inputs = leaves(1);
  const at::Tensor output = forward_operator(inputs);
  inputs.attn_weight.mul_(2);
  EXPECT_NE(thrown([&] { output.sum().backward(); }).find("modified by an inplace operation"),
            std::string::npos);
}

TEST(Autograd, WorksWithoutData) {
  Inputs inputs = test_inputs({});
  for (at::Tensor* tensor : {&inputs.value, &inputs.spatial_shapes, &inputs.level_start_index,
                             &inputs.sampling_loc, &inputs.attn_weight}) {
    *tensor = tensor->to(at::kMeta);
  }
  inputs.sampling_loc.requires_grad_();
  forward_operator(inputs).sum().backward();
  EXPECT_TRUE(inputs.sampling_loc.grad().is_meta());
}

/// What the tracer records of the operator, and nothing beside the inputs.
std::shared_ptr<torch::jit::Graph> traced_graph(const Inputs& inputs) {
  const auto operation = [](std::vector<c10::IValue> i) -> std::vector<c10::IValue> {
    return {forward_operator(
        {i[0].toTensor(), i[1].toTensor(), i[2].toTensor(), i[3].toTensor(), i[4].toTensor(), 64})};
  };
  const auto no_names = [](const at::Tensor&) { return std::string(); };
  return torch::jit::tracer::trace({inputs.value, inputs.spatial_shapes, inputs.level_start_index,
                                    inputs.sampling_loc, inputs.attn_weight},
                                   operation, no_names)
      .first->graph;
}

TEST(Autograd, IsOneNodeInATrace) {
  for (const unsigned which : {0U, 7U}) {
    const auto graph = traced_graph(leaves(which));
    std::vector<std::string> kinds;
    for (const torch::jit::Node* node : graph->nodes()) kinds.emplace_back(node->kind().toQualString());
    EXPECT_EQ(kinds, (std::vector<std::string>{"prim::Constant", "deformdiff::ms_deform_attn_forward"}));
  }
}

TEST(Autograd, IsThatOfATraceToo) {
  const auto graph = traced_graph(test_inputs({}, 2));
  torch::jit::GraphFunction function("traced", graph, nullptr);
  const Inputs inputs = leaves();
  const at::Tensor grad_output = test_grad_output(inputs);
  const Gradients wanted = backward_cpu(test_inputs({}), grad_output);
  for (int call = 0; call < 3; ++call) {  // the third runs what two were profiled for
    for (const at::Tensor& input : {inputs.value, inputs.sampling_loc, inputs.attn_weight}) {
      input.mutable_grad().reset();
    }
    function({inputs.value, inputs.spatial_shapes, inputs.level_start_index, inputs.sampling_loc,
              inputs.attn_weight})
        .toTensor()
        .backward(grad_output);
    EXPECT_TRUE(at::equal(inputs.value.grad(), wanted.value));
    EXPECT_TRUE(at::equal(inputs.sampling_loc.grad(), wanted.sampling_loc));
    EXPECT_TRUE(at::equal(inputs.attn_weight.grad(), wanted.attn_weight));
  }
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn
