#include "worker/module/subject.h"

#include "core/module_description.h"
#include "subjects/libtorch_figures.h"
#include "worker/module/float64.h"
#include "worker/module/graph.h"
#include "worker/module/taps.h"

#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/interpreter.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Module;
using torch::jit::Stack;

void flatten_into(std::vector<at::Tensor>& tensors, const c10::IValue& value) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& each : value.toTupleRef().elements()) flatten_into(tensors, each);
  } else if (value.isList()) {
    for (const c10::IValue& each : value.toListRef()) flatten_into(tensors, each);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) flatten_into(tensors, entry.value());
  }
}

/// A case's tensor as the argument it is for: numbers come as tensors of one element.
c10::IValue as_argument(const at::Tensor& tensor, const c10::Argument& argument) {
  c10::TypePtr type = argument.type();
  if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return tensor;
    case c10::TypeKind::IntType:
      return tensor.item().toLong();
    case c10::TypeKind::FloatType:
      return tensor.item().toDouble();
    case c10::TypeKind::BoolType:
      return tensor.item().toBool();
    case c10::TypeKind::NumberType:
      return tensor.item();
    default:
      C10_THROW_ERROR(
          NotImplementedError,
          fmt::format("argument {} of forward is of type {}: only tensors and numbers can be given",
                      argument.name(), argument.type()->repr_str()));
  }
}

Stack arguments_of(const Module& module, const std::vector<at::Tensor>& tensors) {
  const c10::FunctionSchema& schema = module.get_method("forward").function().getSchema();
  const std::size_t most = schema.arguments().size() - 1;
  TORCH_CHECK(tensors.size() <= most, "forward takes ", most, " arguments, not ", tensors.size());
  Stack stack{module._ivalue()};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    stack.push_back(as_argument(tensors[i], schema.arguments()[i + 1]));
  }
  schema.checkAndNormalizeInputs(stack);
  return stack;
}

/// Throws the exception that is being handled, but what the interpreter wrapped without the wrapping: it says
/// where it was, in many lines, before it says what happened.
[[noreturn]] void rethrow_what_happened(const std::exception& error) {
  static const std::regex line(R"((?:^|\n)(\w+(?:Error|Exception): [^\n]*))");
  const std::string text = error.what();
  std::string last;
  for (std::sregex_iterator at(text.begin(), text.end(), line), end; at != end; ++at) last = at->str(1);
  if (last.empty() || text.find("failed in the TorchScript interpreter") == std::string::npos) throw;
  if (dynamic_cast<const c10::NotImplementedError*>(&error) != nullptr) {
    C10_THROW_ERROR(NotImplementedError, last);
  }
  throw std::runtime_error(last);
}

c10::IValue interpret(const std::shared_ptr<torch::jit::Graph>& graph, Stack stack) {
  // For what the interpreter calls.
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  try {
    torch::jit::InterpreterState(torch::jit::Code(graph, "forward")).run(stack);
  } catch (const std::exception& error) {
    rethrow_what_happened(error);
  }
  TORCH_CHECK(stack.size() == 1, "forward left ", stack.size(), " values");
  return stack.front();
}

class ModuleSubject : public Subject {
 public:
  explicit ModuleSubject(std::string name, Module module)
      : name_(std::move(name)), module_(std::move(module)) {}

  SubjectInfo info() const override {
    SubjectInfo info;
    info.name = name_;
    info.device = "cpu";
    info.blocks = {kOpaqueBlock};
    info.calls = Concurrency::kOneAtATime;  // an executor compiles anew for what requires gradients
    // Norms that the graph puts together may compute as they like.
    info.precision.ulps = kLibTorchUlps;
    // A graph is made of operations of tensors, and so may the sampling in it be.
    info.precision.arithmetic = Arithmetic::kOperations;
    return info;
  }

 protected:
  const Module& module() const { return module_; }

 private:
  std::string name_;
  Module module_;
};

class InterpretedModule : public ModuleSubject {
 public:
  using ModuleSubject::ModuleSubject;

  std::vector<at::Tensor> run(const Call& call) override {
    if (!graph_) graph_ = flatten(module()).graph;
    if (call.taps == nullptr) {
      return flatten_outputs(interpret(graph_, arguments_of(module(), call.inputs)));
    }
    if (!tapped_) tapped_.emplace(module());
    c10::IValue returned;
    tapped_->show(*call.taps,
                  [&] { returned = interpret(tapped_->graph(), arguments_of(module(), call.inputs)); });
    return flatten_outputs(returned);
  }

 protected:
  std::shared_ptr<torch::jit::Graph> graph_;
  std::optional<TappedGraph> tapped_;
};

class WideModule final : public InterpretedModule {
 public:
  explicit WideModule(const Module& module) : InterpretedModule("module/float64", module) {}

  std::vector<at::Tensor> run(const Call& call) override {
    try {
      const DoubleByDefault by_default;
      prepare_wide();
      std::vector<at::Tensor> inputs;
      for (const at::Tensor& input : call.inputs) {
        inputs.push_back(input.is_floating_point() ? input.to(at::kDouble) : input);
      }
      return wide_->run({call.block, call.attributes, call.names, inputs, call.taps});
    } catch (const c10::Error& error) {
      refuse(error.what_without_backtrace());
    } catch (const std::exception& error) {
      refuse(error.what());
    }
  }

 private:
  class Widened final : public InterpretedModule {
   public:
    explicit Widened(const Module& module) : InterpretedModule("", widened(module)) {
      graph_ = flatten(this->module()).graph;
      widen(*graph_);
      tapped_.emplace(this->module());
      widen(*tapped_->graph());
    }
  };

  void prepare_wide() {
    if (!wide_) wide_ = std::make_unique<Widened>(module());
  }

  [[noreturn]] static void refuse(std::string_view reason) {
    C10_THROW_ERROR(NotImplementedError, fmt::format("in double: {}", reason.substr(0, reason.find('\n'))));
  }

  std::unique_ptr<Widened> wide_;
};

class ExecutedModule final : public ModuleSubject {
 public:
  using Prepare = Module (*)(const Module&);

  ExecutedModule(std::string name, Module module, Prepare prepare)
      : ModuleSubject(std::move(name), std::move(module)), prepare_(prepare) {}

  std::vector<at::Tensor> run(const Call& call) override {
    if (!ready_) ready_ = prepare_(module());
    const Stack given = arguments_of(*ready_, call.inputs);
    // The first calls are to warm up, on inputs of their own: what becomes of the case's is seen later.
    for (int warming = 0; warming < 2; ++warming) {
      Stack copies = given;
      for (std::size_t i = 1; i < copies.size(); ++i) {
        if (copies[i].isTensor()) copies[i] = copies[i].toTensor().clone();
      }
      forward(std::move(copies));
    }
    return flatten_outputs(forward(given));
  }

 private:
  c10::IValue forward(Stack stack) {
    try {
      return ready_->forward({stack.begin() + 1, stack.end()});
    } catch (const std::exception& error) {
      rethrow_what_happened(error);
    }
  }

  Prepare prepare_;
  std::optional<Module> ready_;
};

/// Freezing wants evaluation mode, and the module itself stays as it is. One that was frozen before it was
/// saved has no mode left.
Module frozen(const Module& module) {
  Module copy = module.deepcopy();
  if (!copy.hasattr("training")) return copy;
  copy.eval();
  return torch::jit::freeze(copy);
}

Module for_inference(const Module& module) {
  Module copy = module.deepcopy();
  copy.eval();
  return torch::jit::optimize_for_inference(copy);
}

}  // namespace

std::vector<at::Tensor> flatten_outputs(const c10::IValue& returned) {
  std::vector<at::Tensor> tensors;
  flatten_into(tensors, returned);
  return tensors;
}

SubjectList module_subjects(const Module& module) {
  SubjectList subjects;
  subjects.push_back(std::make_unique<InterpretedModule>("module/interpreter", module));
  subjects.push_back(
      std::make_unique<ExecutedModule>("module/executor", module, [](const Module& plain) { return plain; }));
  subjects.push_back(std::make_unique<ExecutedModule>("module/frozen", module, frozen));
  subjects.push_back(std::make_unique<ExecutedModule>("module/inference", module, for_inference));
  subjects.push_back(std::make_unique<WideModule>(module));
  return subjects;
}

}  // namespace deformdiff::worker
