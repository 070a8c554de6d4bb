#include "subjects/traced.h"

#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include <ATen/TensorOperators.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Inputs;
using torch::jit::Stack;

Stack stack_of(const Inputs& inputs) {
  return {inputs.value, inputs.spatial_shapes, inputs.level_start_index, inputs.sampling_loc,
          inputs.attn_weight};
}

/// Inputs that no result may be taken from: other values, mirrored locations, weights in another order.
Inputs tracing_inputs(const Inputs& inputs) {
  return {inputs.value.roll(1) * -0.5,     inputs.spatial_shapes.clone(), inputs.level_start_index.clone(),
          1 - inputs.sampling_loc.roll(1), inputs.attn_weight.flip(-1),   inputs.im2col_step};
}

torch::jit::Module trace(const MsDeformAttnFunction& function, const Inputs& inputs) {
  torch::jit::Module module("__torch__.MsDeformAttn", std::make_shared<torch::jit::CompilationUnit>());
  const auto traced_function = [&](Stack stack) -> Stack {
    return {function({stack[0].toTensor(), stack[1].toTensor(), stack[2].toTensor(), stack[3].toTensor(),
                      stack[4].toTensor(), inputs.im2col_step})};
  };
  const auto no_names = [](const torch::autograd::Variable&) { return std::string(); };
  auto [state, outputs] =
      torch::jit::tracer::trace(stack_of(inputs), traced_function, no_names, true, false, &module);
  const c10::QualifiedName name(*module.type()->name(), "forward");
  module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(name, state->graph));
  return module;
}

torch::jit::Module reloaded(const torch::jit::Module& module) {
  std::stringstream file;
  module.save(file);
  return torch::jit::load(file);
}

}  // namespace

MsDeformAttnFunction traced(MsDeformAttnFunction function, Reload reload) {
  return [function = std::move(function), reload](const Inputs& inputs) {
    torch::jit::Module module = trace(function, tracing_inputs(inputs));
    if (reload == Reload::kYes) module = reloaded(module);
    // Without optimisation: what is judged is the recorded graph, and it costs less than compiling it.
    const torch::jit::GraphOptimizerEnabledGuard plain(false);
    return module.forward(stack_of(inputs)).toTensor();
  };
}

}  // namespace deformdiff::worker
