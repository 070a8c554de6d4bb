#include "subjects/tracing/traced.h"

#include "blocks/block_definition.h"
#include "subjects/gradients.h"
#include "subjects/tracing/module_process.h"

#include <optional>
#include <sstream>
#include <utility>

#include <ATen/ops/clone.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Module;
using torch::jit::Stack;

/// Copies of what is shown, recorded in the trace where it is shown: later operations do not change them.
class RecordingTaps : public Taps {
 public:
  at::Tensor show(const std::string& name, const at::Tensor& value) override {
    names_.push_back(name);
    values_.push_back(at::clone(value));
    return value;
  }

  const std::vector<std::string>& names() const { return names_; }
  const std::vector<at::Tensor>& values() const { return values_; }

 private:
  std::vector<std::string> names_;
  std::vector<at::Tensor> values_;
};

/// Parameters by dotted name as a tree of modules, as a module of Python's has them.
class ModuleTree {
 public:
  void add(std::string_view name, const at::Tensor& parameter) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) {
      parameters_.emplace(name, parameter);
    } else {
      children_[std::string(name.substr(0, dot))].add(name.substr(dot + 1), parameter);
    }
  }

  Module build(const std::string& name, const std::shared_ptr<torch::jit::CompilationUnit>& unit) const {
    Module module(c10::QualifiedName("__torch__." + name), unit, /*shouldMangle=*/true);
    module.register_attribute("training", c10::BoolType::get(), false);
    for (const auto& [key, parameter] : parameters_) module.register_parameter(key, parameter, false);
    for (const auto& [key, child] : children_) module.register_module(key, child.build("Part", unit));
    return module;
  }

 private:
  std::map<std::string, at::Tensor> parameters_;
  std::map<std::string, ModuleTree> children_;
};

/// The inputs of the graph: all but the parameters.
Stack graph_inputs(const Call& call, const std::vector<at::Tensor>& inputs) {
  Stack stack;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!call.names[i].starts_with(kParameterPrefix)) stack.emplace_back(inputs[i]);
  }
  return stack;
}

std::vector<at::Tensor> with_graph_inputs(const Call& call, const Stack& stack) {
  std::vector<at::Tensor> inputs = call.inputs;
  std::size_t next = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!call.names[i].starts_with(kParameterPrefix)) inputs[i] = stack[next++].toTensor();
  }
  return inputs;
}

Module module_of(const Call& call) {
  ModuleTree tree;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const std::string_view name = call.names[i];
    if (name.starts_with(kParameterPrefix)) tree.add(name.substr(kParameterPrefix.size()), call.inputs[i]);
  }
  return tree.build("Mask2Former", std::make_shared<torch::jit::CompilationUnit>());
}

/// The module puts out a tuple: the block's outputs, then what `taps`, if any, was shown.
Module trace(const BlockFunction& function, const Call& call, TracingSizes sizes, RecordingTaps* taps) {
  Module module = module_of(call);
  const auto traced_function = [&](const Stack& stack) -> Stack {
    const std::vector<at::Tensor> inputs = with_graph_inputs(call, stack);
    const std::vector<at::Tensor> outputs = function({call.block, call.attributes, call.names, inputs, taps});
    std::vector<c10::IValue> all(outputs.begin(), outputs.end());
    if (taps != nullptr) all.insert(all.end(), taps->values().begin(), taps->values().end());
    return {c10::ivalue::Tuple::create(std::move(all))};
  };
  const auto no_names = [](const torch::autograd::Variable&) { return std::string(); };
  auto [state, outputs] = torch::jit::tracer::trace(graph_inputs(call, tracing_inputs(call, sizes)),
                                                    traced_function, no_names, true, false, &module);
  const c10::QualifiedName name(*module.type()->name(), "forward");
  module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(name, state->graph));
  return module;
}

std::string saved(const Module& module) {
  std::ostringstream file;
  module.save(file);
  return std::move(file).str();
}

Module prepared(Module module, Replay replay) {
  switch (replay) {
    case Replay::kFrozen:
      return torch::jit::freeze(module);
    case Replay::kInference:
      return torch::jit::optimize_for_inference(module);
    default:
      return module;
  }
}

/// Of which the last one counts.
int calls_of(Replay replay) {
  return replay == Replay::kOptimized || replay == Replay::kInference ? 3 : 1;
}

/// One call of the module in this process.
c10::IValue one_call(Module& module, const Stack& inputs, Replay replay) {
  // Without optimisation: what is judged is the recorded graph, and it costs less than compiling it.
  std::optional<torch::jit::GraphOptimizerEnabledGuard> plain;
  if (calls_of(replay) == 1) plain.emplace(false);
  return module.forward(inputs);
}

c10::IValue result_of(Module module, const Stack& inputs, Replay replay) {
  if (replay == Replay::kReloaded) return run_in_other_process(saved(module), inputs);
  for (int before = 1; before < calls_of(replay); ++before) one_call(module, inputs, replay);
  return one_call(module, inputs, replay);
}

/// The backward through a trace of the forward. What is optimised is so in both directions: a call is one
/// there and back.
std::vector<at::Tensor> replayed_backward(const BlockFunction& function, const Call& call, Replay replay,
                                          TracingSizes sizes) {
  const std::string block = "ms_deform_attn";
  const std::vector<std::string> names{"value", "spatial_shapes", "level_start_index", "sampling_loc",
                                       "attn_weight"};
  std::vector<at::Tensor> inputs;
  inputs.reserve(names.size());
  for (const std::string& name : names) inputs.push_back(call.input(name));
  const at::Tensor& grad_output = call.input("grad_output");
  Module module = prepared(trace(function, {block, call.attributes, names, inputs}, sizes, nullptr), replay);
  if (replay == Replay::kReloaded) return gradients_in_other_process(saved(module), inputs, grad_output);
  const auto forward = [&](const std::vector<at::Tensor>& tensors) {
    return one_call(module, {tensors.begin(), tensors.end()}, replay).toTupleRef().elements()[0].toTensor();
  };
  for (int before = 1; before < calls_of(replay); ++before) gradients(forward, inputs, grad_output);
  return gradients(forward, inputs, grad_output);
}

}  // namespace

BlockFunction traced(BlockFunction function, Replay replay, TracingSizes sizes) {
  return [function = std::move(function), replay, sizes](const Call& call) {
    if (call.block == "ms_deform_attn_backward") return replayed_backward(function, call, replay, sizes);
    RecordingTaps taps;
    Module module = trace(function, call, sizes, call.taps != nullptr ? &taps : nullptr);
    std::vector<c10::IValue> values =
        std::move(*result_of(prepared(std::move(module), replay), graph_inputs(call, call.inputs), replay)
                       .toTuple())
            .elements()
            .vec();
    const auto first_stage = values.end() - static_cast<std::ptrdiff_t>(taps.names().size());
    for (std::size_t i = 0; i < taps.names().size(); ++i) {
      // Stages may be far larger than the outputs: each is let go before the next is copied.
      c10::IValue& stage = first_stage[static_cast<std::ptrdiff_t>(i)];
      call.taps->show(taps.names()[i], std::exchange(stage, {}).toTensor());
    }
    std::vector<at::Tensor> outputs;
    for (auto value = values.begin(); value != first_stage; ++value) outputs.push_back(value->toTensor());
    return outputs;
  };
}

void save_traced(const BlockFunction& function, const Call& call, const std::string& file) {
  Module module = trace(function, call, TracingSizes::kSame, nullptr);
  module.store_traced_inputs("forward", graph_inputs(call, call.inputs));
  module.save(file);
}

}  // namespace deformdiff::worker
