#include "worker/module/dataflow.h"

#include "worker/module/constants.h"

#include <algorithm>

#include <ATen/core/function_schema.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;

bool is_filling(const Node* node) {
  return is_aten(node,
                 {"zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like",
                  "new_zeros", "new_ones", "new_empty", "new_full", "empty_strided", "zero", "fill"});
}

bool is_generating(const Node* node) {
  return is_aten(node, {"arange", "range", "linspace", "logspace", "eye", "rand", "randn", "rand_like",
                        "randn_like", "randint", "randperm", "tril_indices", "triu_indices"});
}

/// Gives extents, types or devices, whatever the elements are.
bool is_asking_for_shape(const Node* node) {
  return is_aten(node, {"size", "dim", "len", "numel", "_shape_as_tensor", "stride", "sym_size",
                        "is_floating_point", "element_size", "storage_offset"}) ||
         node->kind() == prim::dtype || node->kind() == prim::device || node->kind() == prim::layout;
}

/// Tensors, and numbers and collections that may carry their values.
bool may_carry_values(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::IntType:
    case c10::TypeKind::BoolType:
    case c10::TypeKind::StringType:
    case c10::TypeKind::NoneType:
    case c10::TypeKind::DeviceObjType:
      return false;
    case c10::TypeKind::ListType:
    case c10::TypeKind::OptionalType:
      return may_carry_values(type->containedType(0));
    default:
      return true;
  }
}

bool shares_set(const c10::AliasInfo* a, const c10::AliasInfo* b) {
  if (a == nullptr || b == nullptr) return false;
  return std::any_of(a->beforeSets().begin(), a->beforeSets().end(),
                     [&](const c10::Symbol& set) { return b->beforeSets().contains(set); });
}

}  // namespace

bool Origins::add(const Origins& other) {
  const auto join = [](auto& mine, const auto& theirs) {
    if (mine || !theirs) return false;
    mine = theirs;
    return true;
  };
  bool changed = join(data, other.data);
  changed |= join(extents, other.extents);
  changed |= join(parameter, other.parameter);
  changed |= join(generated, other.generated);
  changed |= join(filled, other.filled);
  changed |= join(constant, other.constant);
  return changed;
}

/// Walks over the graph until nothing changes. Values that share memory share their origins: a write into one
/// is a write into all.
class Dataflow::Origin {
 public:
  Origin(std::unordered_map<const Value*, Origins>& origins) : origins_(origins) {}

  void run(const torch::jit::Graph& graph) {
    const auto inputs = graph.inputs();
    for (const Value* input : inputs.slice(1)) of(input).data = true;
    join_views(graph.block());
    do {
      changed_ = false;
      visit(graph.block());
    } while (changed_);
    for (const auto& [value, other] : parents_) origins_[value] = of(value);
  }

 private:
  const Value* root(const Value* value) {
    for (auto at = parents_.find(value); at != parents_.end() && at->second != value;
         at = parents_.find(value)) {
      value = at->second;
    }
    return value;
  }

  Origins& of(const Value* value) { return origins_[root(value)]; }

  void add(const Value* value, const Origins& more) { changed_ |= of(value).add(more); }

  void join_views(const Block* block) {
    for (const Node* node : block->nodes()) {
      for (const Block* inner : node->blocks()) join_views(inner);
      const c10::FunctionSchema* schema = node->maybeSchema();
      if (schema == nullptr || schema->is_vararg()) continue;
      for (std::size_t r = 0; r < schema->returns().size() && r < node->outputs().size(); ++r) {
        for (std::size_t a = 0; a < schema->arguments().size() && a < node->inputs().size(); ++a) {
          if (!shares_set(schema->returns()[r].alias_info(), schema->arguments()[a].alias_info())) continue;
          const Value* const mine = root(node->output(r));
          parents_[mine] = root(node->input(a));
          parents_.try_emplace(root(node->input(a)), root(node->input(a)));
        }
      }
    }
  }

  void visit(const Block* block) {
    for (const Node* node : block->nodes()) visit(node);
  }

  void visit(const Node* node) {
    if (!node->blocks().empty()) return visit_blocks(node);
    const Origins made = origins_of(node);
    for (const Value* output : node->outputs()) add(output, made);
    note_writes(node);
  }

  void visit_blocks(const Node* node) {
    const bool loop = node->kind() == prim::Loop;
    const std::size_t carried = loop ? 2 : 0;  // a loop's first two inputs are its limit and condition
    for (const Block* block : node->blocks()) {
      const auto inputs = block->inputs();
      for (std::size_t i = 1; loop && i < inputs.size(); ++i) {
        add(inputs[i], of(node->input(carried + i - 1)));
        add(inputs[i], of(block->outputs()[i]));
      }
      visit(block);
      const auto outputs = block->outputs();
      for (std::size_t i = 0; i < node->outputs().size(); ++i) {
        const std::size_t at = loop ? i + 1 : i;
        if (at < outputs.size()) add(node->output(i), of(outputs[at]));
      }
    }
    for (std::size_t i = 0; loop && i < node->outputs().size(); ++i) {
      add(node->output(i), of(node->input(carried + i)));
    }
  }

  Origins origins_of(const Node* node) {
    Origins made;
    if (node->kind() == prim::Constant) {
      const auto tensor = constant_tensor(node->output());
      if (tensor && tensor->numel() > 1) made.constant = node->output();
    } else if (node->kind() == prim::GetAttr) {
      made.parameter = may_carry_values(node->output()->type());
    } else if (is_filling(node) || is_generating(node)) {
      for (const Value* input : node->inputs()) made.extents |= of(input).data || of(input).extents;
      if (is_aten(node, {"full", "full_like", "new_full", "fill"}) && node->inputs().size() > 1) {
        made.data = of(node->input(1)).data && may_carry_values(node->input(1)->type());
      }
      if (is_generating(node)) made.generated = true;
      if (is_filling(node)) made.filled = node->output();
    } else if (is_asking_for_shape(node)) {
      for (const Value* input : node->inputs()) made.extents |= of(input).data || of(input).extents;
    } else {
      for (const Value* input : node->inputs()) made.add(passed_on(node, input));
    }
    return made;
  }

  /// Integers say where to look and how large to be, unless they are what is computed.
  Origins passed_on(const Node* node, const Value* input) {
    const bool by_extent = !may_carry_values(input->type()) &&
                           std::any_of(node->outputs().begin(), node->outputs().end(),
                                       [](const Value* output) { return may_carry_values(output->type()); });
    Origins passed = of(input);
    if (by_extent) passed = {.extents = passed.data || passed.extents};
    return passed;
  }

  void note_writes(const Node* node) {
    const c10::FunctionSchema* schema = node->maybeSchema();
    if (schema == nullptr || schema->is_vararg()) return;
    for (std::size_t a = 0; a < schema->arguments().size() && a < node->inputs().size(); ++a) {
      const c10::AliasInfo* alias = schema->arguments()[a].alias_info();
      if (alias == nullptr || !alias->isWrite()) continue;
      for (const Value* input : node->inputs()) add(node->input(a), passed_on(node, input));
    }
  }

  std::unordered_map<const Value*, Origins>& origins_;
  std::unordered_map<const Value*, const Value*> parents_;
  bool changed_ = false;
};

/// One pass in order: a value that is not understood has no known batch axis.
class Dataflow::Batch {
 public:
  Batch(std::unordered_map<const Value*, std::int64_t>& axes) : axes_(axes) {}

  void run(const torch::jit::Graph& graph, const std::vector<bool>& batch_first) {
    for (std::size_t i = 0; i < batch_first.size() && i < graph.inputs().size(); ++i) {
      if (batch_first[i]) axes_[graph.inputs()[i]] = 0;
    }
    visit(graph.block());
  }

 private:
  using Axis = std::optional<std::int64_t>;

  Axis of(const Value* value) const {
    const auto found = axes_.find(value);
    return found == axes_.end() ? Axis() : found->second;
  }

  void visit(const Block* block) {
    for (const Node* node : block->nodes()) {
      for (const Block* inner : node->blocks()) visit(inner);
      if (node->inputs().empty()) continue;
      const Axis axis = after(node);
      for (const Value* output : node->outputs()) {
        if (axis && may_carry_values(output->type())) axes_[output] = *axis;
      }
    }
  }

  Axis after(const Node* node) const {
    if (is_aten(node, {"_convolution", "conv2d", "group_norm", "grid_sampler", "upsample_bilinear2d",
                       "upsample_nearest2d", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"})) {
      return 0;
    }
    if (is_aten(node, {"relu",        "gelu",        "sigmoid",    "tanh",
                       "softmax",     "log_softmax", "dropout",    "to",
                       "contiguous",  "detach",      "clone",      "layer_norm",
                       "masked_fill", "clamp",       "exp",        "neg",
                       "linear",      "alias",       "type_as",    "silu",
                       "leaky_relu",  "elu",         "abs",        "pow",
                       "sqrt",        "batch_norm",  "expand",     "slice",
                       "narrow",      "split",       "chunk",      "split_with_sizes",
                       "__getitem__", "bitwise_not", "logical_not"}) ||
        node->kind() == prim::ListUnpack) {
      return of(node->input(0));
    }
    if (is_aten(node, {"add", "sub", "mul", "div", "rsub", "where"})) return joined(node);
    if (is_aten(node, {"select", "squeeze", "unbind"})) return without(node);
    if (is_aten(node, {"unsqueeze"})) return with(of(node->input(0)), node->input(1));
    if (is_aten(node, {"transpose", "swapaxes"})) return transposed(node);
    if (is_aten(node, {"permute"})) return permuted(node);
    if (is_aten(node, {"flatten"})) return flattened(node);
    if (is_aten(node, {"unflatten"})) return unflattened(node);
    if (is_aten(node, {"view", "reshape", "_unsafe_view"})) return viewed(node);
    if (node->kind() == prim::ListConstruct) return joined(node);
    if (is_aten(node, {"cat"})) return of(node->input(0));
    if (is_aten(node, {"stack"})) return with(of(node->input(0)), node->input(1));
    return {};
  }

  /// Of operands that are broadcast against one another.
  Axis joined(const Node* node) const {
    Axis axis;
    for (const Value* input : node->inputs()) {
      const Axis other = of(input);
      if (axis && other && *axis != *other) return {};
      if (other) axis = other;
    }
    return axis;
  }

  Axis without(const Node* node) const {
    const Axis axis = of(node->input(0));
    if (!axis || node->inputs().size() < 2) return {};
    const auto removed = constant_integer(node->input(1));
    if (!removed || *removed < 0 || *removed == *axis) return {};
    return *removed < *axis ? *axis - 1 : *axis;
  }

  static Axis with(Axis axis, const Value* where) {
    const auto added = constant_integer(where);
    if (!axis || !added) return {};
    return *added >= 0 && *added <= *axis ? *axis + 1 : *axis;
  }

  Axis transposed(const Node* node) const {
    const Axis axis = of(node->input(0));
    const auto a = constant_integer(node->input(1)), b = constant_integer(node->input(2));
    if (!axis || !a || !b) return {};
    // Counted from the end: the last two axes are not the batch's, which is first.
    if (*a < 0 || *b < 0) return *a < 0 && *b < 0 && *axis == 0 ? axis : Axis();
    if (*a == *axis) return *b;
    return *b == *axis ? *a : *axis;
  }

  Axis permuted(const Node* node) const {
    const Axis axis = of(node->input(0));
    const auto order = integer_list(node->input(1));
    if (!axis || !order) return {};
    const auto found = std::find(order->begin(), order->end(), axis);
    return found == order->end() ? Axis() : Axis(found - order->begin());
  }

  Axis flattened(const Node* node) const {
    const Axis axis = of(node->input(0));
    const auto first = constant_integer(node->input(1));
    return axis && first && *first > *axis ? axis : Axis();
  }

  /// The last axis taken apart, or one behind the batch.
  Axis unflattened(const Node* node) const {
    const Axis axis = of(node->input(0));
    const auto split = constant_integer(node->input(1));
    return axis == 0 && split && (*split > 0 || *split == -1) ? axis : Axis();
  }

  Axis viewed(const Node* node) const {
    const Axis axis = of(node->input(0));
    const Node* list = node->input(1)->node();
    if (axis != 0 || list->kind() != prim::ListConstruct || list->inputs().empty()) return {};
    return is_batch_size(list->input(0)) ? axis : Axis();
  }

  bool is_batch_size(const Value* value) const {
    const Node* node = value->node();
    if (node->kind() == prim::NumToTensor || is_aten(node, {"Int"})) return is_batch_size(node->input(0));
    if (node->kind() == prim::ListUnpack && is_aten(node->input()->node(), {"size"})) {
      const Axis axis = of(node->input()->node()->input(0));
      return axis && static_cast<std::size_t>(*axis) == value->offset();
    }
    if (!is_aten(node, {"size"}) || node->inputs().size() != 2) return false;
    const Axis axis = of(node->input(0));
    return axis && constant_integer(node->input(1)) == axis;
  }

  std::unordered_map<const Value*, std::int64_t>& axes_;
};

Dataflow::Dataflow(const torch::jit::Graph& graph, const std::vector<bool>& batch_first) {
  Origin(origins_).run(graph);
  Batch(batch_axes_).run(graph, batch_first);
}

const Origins& Dataflow::of(const Value* value) const {
  static const Origins nothing;
  const auto found = origins_.find(value);
  return found == origins_.end() ? nothing : found->second;
}

std::optional<std::int64_t> Dataflow::batch_axis(const Value* value) const {
  const auto found = batch_axes_.find(value);
  return found == batch_axes_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Layer> layer_of(const Node* node) {
  if (is_aten(node, {"linear", "conv1d", "conv2d", "conv3d", "_convolution", "convolution",
                     "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})) {
    return Layer{0, 1, 2};
  }
  if (is_aten(node, {"addmm"})) return Layer{1, 2, 2};
  if (is_aten(node, {"matmul", "mm"})) return Layer{0, 1, 1};
  if (is_aten(node, {"layer_norm", "group_norm"})) return Layer{0, 2, 3};
  if (is_aten(node, {"batch_norm"})) return Layer{0, 1, 4};
  return std::nullopt;
}

}  // namespace deformdiff::worker
