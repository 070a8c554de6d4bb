#include "worker/module/describe.h"

#include "worker/module/audit.h"
#include "worker/module/graph.h"
#include "worker/module/loader.h"
#include "worker/tensors.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/lower_tuples.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;

struct Outputs {
  std::vector<std::string> paths;
  std::vector<const Value*> values;
  bool complete = true;  ///< nothing is left that is known only by running
};

void add_outputs(Outputs& outputs, const Value* value, const std::string& path) {
  const c10::TypePtr& type = value->type();
  const Node* node = value->node();
  const auto kind = type->kind();
  if (kind == c10::TypeKind::TensorType) {
    outputs.paths.push_back(path);
    outputs.values.push_back(value);
  } else if (kind == c10::TypeKind::TupleType && node->kind() == prim::TupleConstruct) {
    const auto& schema = type->expectRef<c10::TupleType>().schema();
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      const std::string step = schema ? "." + schema->arguments()[i].name() : fmt::format("[{}]", i);
      add_outputs(outputs, node->input(i), path + step);
    }
  } else if (kind == c10::TypeKind::ListType && node->kind() == prim::ListConstruct) {
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      add_outputs(outputs, node->input(i), fmt::format("{}[{}]", path, i));
    }
  } else if (kind == c10::TypeKind::DictType && node->kind() == prim::DictConstruct) {
    for (std::size_t i = 0; i + 1 < node->inputs().size(); i += 2) {
      const auto key = torch::jit::toIValue(node->input(i));
      const std::string step = key && key->isString() ? key->toStringRef() : "?";
      add_outputs(outputs, node->input(i + 1), fmt::format("{}.{}", path, step));
    }
  } else if (kind == c10::TypeKind::TupleType || kind == c10::TypeKind::ListType ||
             kind == c10::TypeKind::DictType || kind == c10::TypeKind::OptionalType ||
             kind == c10::TypeKind::AnyType) {
    outputs.complete = false;
  }
}

bool has_blocks(const Block* block) {
  for (const Node* node : block->nodes()) {
    if (!node->blocks().empty()) return true;
  }
  return false;
}

/// "hidden_states.1" was hidden_states.
std::string source_name(const std::string& debug_name) {
  return debug_name.substr(0, debug_name.find('.'));
}

class Describer {
 public:
  explicit Describer(const torch::jit::Module& module) : module_(module) {}

  ModuleDescription run(const std::string& file) {
    describe_tensors();
    const FlatGraph flat = flatten(module_);
    torch::jit::LowerSimpleTuples(flat.graph);
    for (const NamedTensor& parameter : description_.parameters) {
      if (!flat.read.contains(parameter.name)) description_.unread.push_back(parameter.name);
    }
    describe_inputs(file);
    Outputs outputs;
    for (const Value* output : flat.graph->outputs()) add_outputs(outputs, output, "");
    if (outputs.complete) description_.outputs = outputs.paths;
    description_.returns = schema().returns().empty() ? "" : schema().returns()[0].type()->annotation_str();
    description_.training = module_.hasattr("training") && module_.is_training();
    description_.scripted = has_blocks(flat.graph->block());
    try {
      describe_graph(flat, outputs);
    } catch (const std::exception& error) {
      const std::string_view text = error.what();
      note(fmt::format("the graph could not be audited: {}", text.substr(0, text.find('\n'))));
    }
    return std::move(description_);
  }

 private:
  const c10::FunctionSchema& schema() const { return module_.get_method("forward").function().getSchema(); }

  void note(std::string text) { description_.notes.push_back(std::move(text)); }

  void describe_tensors() {
    std::vector<std::string> parameters;
    for (const auto& [name, tensor] : module_.named_parameters()) {
      parameters.push_back(name);
      keep(description_.parameters, name, tensor);
    }
    for (const auto& [name, value] : module_.named_attributes()) {
      const bool other = std::find(parameters.begin(), parameters.end(), name) == parameters.end();
      if (other && value.isTensor()) keep(description_.buffers, name, value.toTensor());
    }
  }

  void keep(std::vector<NamedTensor>& tensors, const std::string& name, at::Tensor tensor) {
    if (!tensor.defined()) return;
    if (tensor.layout() == at::kStrided && at::isIntegralType(tensor.scalar_type(), false) &&
        !dtype_of(tensor.scalar_type())) {
      tensor = tensor.to(at::kLong);
    }
    if (tensor.layout() != at::kStrided || !dtype_of(tensor.scalar_type())) {
      return note(fmt::format("{} of dtype {} is not shown", name, c10::toString(tensor.scalar_type())));
    }
    tensors.push_back({name, from_torch(tensor.detach())});
  }

  void describe_inputs(const std::string& file) {
    const auto& arguments = schema().arguments();
    if (!file.empty()) traced_ = traced_inputs(file);
    traced_.resize(arguments.size() - 1);
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      const c10::TypePtr& type = arguments[i].type();
      const bool tensor = type->isSubtypeOf(*c10::OptionalType::create(c10::TensorType::get())) &&
                          type->kind() != c10::TypeKind::NoneType;
      const auto& traced = traced_[i - 1];
      description_.inputs.push_back({source_name(arguments[i].name()), type->annotation_str(), tensor,
                                     traced ? std::optional(traced->shape) : std::nullopt});
    }
  }

  void describe_graph(const FlatGraph& flat, const Outputs& outputs) {
    AuditFacts facts;
    std::vector<std::string> names;
    std::vector<std::optional<Shape>> shapes;
    facts.batch_first = {false};
    for (std::size_t i = 0; i < traced_.size(); ++i) {
      names.push_back(description_.inputs[i].name);
      shapes.push_back(description_.inputs[i].traced);
      facts.batch_first.push_back(traced_[i] && traced_[i]->floating && traced_[i]->shape.size() >= 3);
    }
    facts.sizes = TracedSizes(names, shapes);
    facts.outputs = outputs.values;
    for (std::size_t i = 0; i < outputs.values.size(); ++i) {
      facts.output_names.push_back(fmt::format("output.{}", i));
    }
    description_.audit = audit(module_, flat, facts);
    for (std::string& text : device_notes(flat)) note(std::move(text));
  }

  const torch::jit::Module& module_;
  std::vector<std::optional<TracedInput>> traced_;
  ModuleDescription description_;
};

}  // namespace

ModuleDescription describe(const torch::jit::Module& module, const std::string& file) {
  const at::NoGradGuard no_grad;
  return Describer(module).run(file);
}

}  // namespace deformdiff::worker
