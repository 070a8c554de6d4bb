#include "worker/module/audit.h"

#include "worker/module/dataflow.h"
#include "worker/tensors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <c10/core/ScalarType.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/constants.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;
namespace prim = torch::jit::prim;

constexpr std::int64_t kLarge = 64;       // elements of a constant
constexpr std::int64_t kSomeTokens = 16;  // the least size that is taken for a number of tokens
constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int64_t>::max();

using Integers = std::vector<std::optional<std::int64_t>>;

std::string text_of(const Integers& list) {
  std::vector<std::string> parts;
  for (const auto& each : list) parts.push_back(each ? fmt::format("{}", *each) : "?");
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

bool is_fixed(const std::optional<std::int64_t>& extent) {
  return extent && *extent >= 1;
}

/// "linear of decoder.fc1"
std::string place(std::string_view op, const std::string& scope) {
  return scope.empty() ? fmt::format("{}", op) : fmt::format("{} of {}", op, scope);
}

class Auditor {
 public:
  Auditor(const torch::jit::Module& module, const FlatGraph& flat, const AuditFacts& facts)
      : module_(module), flat_(flat), facts_(facts), flow_(*flat.graph, facts.batch_first) {}

  std::vector<AuditFinding> run() {
    visit(flat_.graph->block());
    check_outputs();
    return std::move(findings_);
  }

 private:
  void add(const char* kind, const Node* node, std::string detail) {
    AuditFinding finding{kind, std::move(detail), "", ""};
    if (node != nullptr) {
      finding.line = line_of(node);
      finding.scope = flat_.scope_of(node);
      // The first of its kind in its place speaks for the others.
      const bool single = node->kind() == prim::Constant;
      const auto key =
          std::tuple(finding.kind, finding.scope, single ? finding.line : std::string(op_name(node)));
      if (!seen_.insert(key).second) return;
    }
    findings_.push_back(std::move(finding));
  }

  void visit(const Block* block) {
    for (const Node* node : block->nodes()) {
      check_constant(node);
      check_layer(node);
      check_normaliser(node);
      check_operator(node);
      check_split(node);
      check_map(node);
      check_grid(node);
      check_batch(node);
      check_mode(node);
      check_device(node);
      if (node->kind() == prim::PythonOp) {
        add(audit_kind::kPythonOp, node,
            "calls back into Python, which is there only in the process that traced");
      }
      for (const Block* inner : node->blocks()) visit(inner);
    }
  }

  // Dead ends.

  void check_outputs() {
    for (std::size_t i = 0; i < facts_.outputs.size(); ++i) {
      const Value* output = facts_.outputs[i];
      const Origins& origins = flow_.of(output);
      if (origins.data) continue;
      const Node* node = output->node()->kind() == prim::Param ? nullptr : output->node();
      add(audit_kind::kOutputIgnoresInputs, node,
          fmt::format("{} depends on no input's values{}", facts_.output_names[i],
                      origins.extents ? ", on extents alone" : ""));
    }
  }

  /// Weights applied to what nobody computed.
  void check_layer(const Node* node) {
    const auto layer = layer_of(node);
    if (!layer || layer->weight >= node->inputs().size()) return;
    const Origins& weight = flow_.of(node->input(layer->weight));
    if (weight.data || !(weight.parameter || weight.constant != nullptr)) return;
    const Origins& from = flow_.of(node->input(layer->data));
    if (from.data || from.parameter || from.generated || from.constant != nullptr || from.filled == nullptr) {
      return;
    }
    const Node* maker = from.filled->node();
    add(audit_kind::kOutputIgnoresInputs, maker,
        fmt::format(
            "what {} computes from is made by {} and reached by no input's values{}: what was computed "
            "there was not recorded",
            place(op_name(node), flat_.scope_of(node)), op_name(maker),
            from.extents ? ", only by extents" : ""));
  }

  void check_constant(const Node* node) {
    if (node->kind() != prim::Constant) return;
    const auto tensor = constant_tensor(node->output());
    if (!tensor || tensor->numel() <= kLarge || is_parameter(node->output())) return;
    const std::string used = activation_use(node->output(), tensor->scalar_type() == at::kBool);
    // Without parameters the module was frozen: its weights are constants, and not all are told from others.
    const bool frozen = module_.parameters().size() == 0;
    if (frozen && used.empty()) return;
    const Shape shape = shape_in_use(node->output(), *tensor);
    std::string detail = fmt::format("a constant of {}, {} ({} elements)", to_string(shape),
                                     dtype_text(tensor->scalar_type()), tensor->numel());
    if (!used.empty()) detail += fmt::format(" is what {}, where an activation belongs", used);
    const std::string size = facts_.sizes.explain(shape);
    if (!size.empty()) {
      detail += fmt::format("; along an axis it is as long as {} when the module was traced", size);
    }
    add(audit_kind::kLargeConstant, node, std::move(detail));
  }

  static std::string dtype_text(at::ScalarType type) {
    const auto ours = dtype_of(type);
    return ours ? std::string(name_of(*ours)) : c10::toString(type);
  }

  /// A constant may be stored flat and viewed where it is used.
  static Shape shape_in_use(const Value* constant, const at::Tensor& tensor) {
    const auto& uses = constant->uses();
    if (uses.size() == 1 && is_aten(uses[0].user, {"view", "reshape"})) {
      if (const auto extents = integer_list(uses[0].user->input(1))) {
        Shape shape;
        for (const auto& extent : *extents) shape.push_back(extent.value_or(-1));
        const bool known = std::ranges::none_of(shape, [](std::int64_t extent) { return extent < 0; });
        if (known && element_count(shape) == tensor.numel()) return shape;
      }
    }
    return tensor.sizes().vec();
  }

  static const Value* through_transpose(const Value* value) {
    while (value->uses().size() == 1 && is_aten(value->uses()[0].user, {"t", "transpose", "detach", "to"})) {
      value = value->uses()[0].user->output();
    }
    return value;
  }

  static bool is_parameter(const Value* constant) {
    const Value* value = through_transpose(constant);
    const auto& uses = value->uses();
    return !uses.empty() && std::all_of(uses.begin(), uses.end(), [](const Use& use) {
      if (is_aten(use.user, {"embedding"})) return use.offset == 0;
      const auto layer = layer_of(use.user);
      return layer && use.offset >= layer->weight && use.offset <= layer->last_parameter;
    });
  }

  /// How a constant is used as only what was computed should be; empty if it is not.
  std::string activation_use(const Value* value, bool boolean) const {
    for (const Use& use : value->uses()) {
      const Node* user = use.user;
      const auto layer = layer_of(user);
      const std::string here = place(op_name(user), flat_.scope_of(user));
      if (layer && use.offset == layer->data) return here + " computes from";
      if (is_aten(user, {"masked_fill", "where", "logical_not", "bitwise_not", "baddbmm",
                         "scaled_dot_product_attention"})) {
        return here + " is masked by";
      }
      const bool passes_mask =
          boolean && is_aten(user, {"mul", "logical_and", "logical_or", "__and__", "__or__"});
      if (passes_mask || (use.offset == 0 &&
                          is_aten(user, {"view", "reshape", "unsqueeze", "expand", "to", "transpose",
                                         "permute", "contiguous", "detach", "flatten", "slice", "repeat"}))) {
        if (const std::string further = activation_use(user->output(), boolean); !further.empty())
          return further;
      }
    }
    return {};
  }

  // Extents.

  /// Pairs of whole numbers, in a product or quotient with what the inputs gave.
  void check_normaliser(const Node* node) {
    if (!is_aten(node, {"div", "mul", "true_divide", "floor_divide"}) || node->inputs().size() < 2) return;
    for (const std::size_t side : {0, 1}) {
      if (!flow_.of(node->input(1 - side)).data) continue;
      const Value* value = behind_views(node->input(side));
      const auto tensor = constant_tensor(value);
      if (!tensor || !is_pairs_of_extents(*tensor)) continue;
      add(audit_kind::kBakedShape, node,
          fmt::format("{} by a constant of [{}]: {} - (width, height) pairs that should come from the "
                      "inputs' extents",
                      op_name(node), fmt::join(tensor->sizes(), ", "), fmt::join(numbers_in(*tensor), ", ")));
    }
  }

  static std::vector<std::int64_t> numbers_in(const at::Tensor& tensor) {
    const at::Tensor flat = tensor.to(at::kLong).flatten();
    const auto* first = flat.const_data_ptr<std::int64_t>();
    return {first, first + flat.numel()};
  }

  /// Sizes of maps given to an operator that is not LibTorch's, beside what the inputs gave.
  void check_operator(const Node* node) {
    if (node->kind().is_aten() || node->kind().is_prim()) return;
    const auto inputs = node->inputs();
    if (std::none_of(inputs.begin(), inputs.end(), [&](const Value* each) { return flow_.of(each).data; }))
      return;
    for (const Value* input : inputs) {
      const auto tensor = constant_tensor(behind_views(input));
      if (!tensor || !at::isIntegralType(tensor->scalar_type(), false) || !is_pairs_of_extents(*tensor))
        continue;
      add(audit_kind::kBakedShape, node,
          fmt::format(
              "gives {} a constant of [{}]: {} - sizes of maps that should come from the inputs' extents",
              op_name(node), fmt::join(tensor->sizes(), ", "), fmt::join(numbers_in(*tensor), ", ")));
    }
  }

  static bool is_pairs_of_extents(const at::Tensor& tensor) {
    const std::int64_t elements = tensor.numel();
    if (elements < 2 || elements > kLarge || tensor.dim() < 1 || tensor.size(-1) != 2) return false;
    const at::Tensor real = tensor.to(at::kDouble).contiguous();
    const double* first = real.const_data_ptr<double>();
    return std::all_of(first, first + elements,
                       [](double x) { return x >= 1 && x < 1e6 && x == std::floor(x); }) &&
           std::any_of(first, first + elements, [](double x) { return x > 1; });
  }

  /// Fixed pieces of an axis that is not fixed itself.
  void check_split(const Node* node) {
    if (!is_aten(node, {"split_with_sizes", "split"}) || node->inputs().size() < 3) return;
    const auto sizes = integer_list(node->input(1));
    const auto axis = constant_integer(node->input(2));
    if (!sizes || sizes->size() < 2 || !axis || !flow_.of(node->input(0)).data) return;
    if (!std::all_of(sizes->begin(), sizes->end(), is_fixed)) return;
    std::vector<std::string> known;
    for (const auto& size : *sizes) {
      if (std::string text = facts_.sizes.explain(*size); !text.empty()) known.push_back(std::move(text));
    }
    const bool of_maps = known.size() == sizes->size();
    if (!of_maps && !is_open(node->input(0), *axis)) return;
    add(audit_kind::kBakedShape, node,
        fmt::format("splits axis {} into pieces of fixed sizes {}{}", *axis, text_of(*sizes),
                    known.empty() ? "" : fmt::format(", when traced {}", fmt::join(known, "; "))));
  }

  /// Whether the extent of `axis` is computed, by what the view behind the value says.
  static bool is_open(const Value* value, std::int64_t axis) {
    while (is_aten(value->node(), {"masked_fill", "contiguous", "slice", "to", "dropout"})) {
      value = value->node()->input(0);
    }
    if (axis < 0 || !is_aten(value->node(), {"view", "reshape"})) return false;
    const auto extents = integer_list(value->node()->input(1));
    return extents && static_cast<std::size_t>(axis) < extents->size() &&
           !(*extents)[static_cast<std::size_t>(axis)];
  }

  /// Maps whose height and width are fixed.
  void check_map(const Node* node) {
    const bool resizes = is_aten(node, {"upsample_bilinear2d", "upsample_nearest2d", "upsample_bicubic2d"});
    if (resizes && node->inputs().size() > 1) {
      const auto size = integer_list(node->input(1));
      if (size && size->size() == 2 && is_fixed((*size)[0]) && is_fixed((*size)[1])) {
        add(audit_kind::kBakedShape, node, fmt::format("resizes to a fixed size, {}", text_of(*size)));
      }
    }
    const bool on_map =
        resizes || is_aten(node, {"grid_sampler", "grid_sampler_2d", "conv2d", "max_pool2d", "avg_pool2d"}) ||
        (is_aten(node, {"_convolution"}) && is_two_dimensional(node));
    if (on_map) check_map_view(node);
    if (is_aten(node, {"view", "reshape", "expand"})) check_token_view(node);
  }

  static bool is_two_dimensional(const Node* convolution) {
    const auto stride = integer_list(convolution->input(3));
    return stride && stride->size() == 2;
  }

  void check_map_view(const Node* node) {
    const Value* value = node->input(0);
    while (is_aten(value->node(), {"contiguous", "to", "detach", "clone", "dropout", "relu"})) {
      value = value->node()->input(0);
    }
    const Node* view = value->node();
    if (!is_aten(view, {"view", "reshape"}) || !flow_.of(value).data) return;
    const auto extents = integer_list(view->input(1));
    if (!extents || extents->size() != 4 || !is_fixed((*extents)[2]) || !is_fixed((*extents)[3])) return;
    add(audit_kind::kBakedShape, view,
        fmt::format("gives a map to {} whose height and width are fixed, {} x {}",
                    place(op_name(node), flat_.scope_of(node)), *(*extents)[2], *(*extents)[3]));
  }

  /// Numbers of tokens, where the file tells what they were.
  void check_token_view(const Node* node) {
    const auto extents = integer_list(node->input(1));
    if (!extents || !flow_.of(node->input(0)).data) return;
    for (std::size_t i = 1; i < extents->size(); ++i) {
      const auto extent = (*extents)[i];
      if (!extent || *extent < 2 || is_extent_of_parameter(*extent)) continue;
      if (*extent < kSomeTokens && (i != 1 || !is_axis_of_sequence(*extents))) continue;
      const std::string known = facts_.sizes.explain(*extent);
      if (known.empty()) continue;
      add(audit_kind::kBakedShape, node,
          fmt::format("fixes axis {} at {}, when traced {}", i, *extent, known));
      return;
    }
  }

  /// Whether axis 1 can be no other than the length of a sequence: axis 0 is computed, and what follows is
  /// the channels, as a parameter has them, or one extent that is computed.
  bool is_axis_of_sequence(const std::vector<std::optional<std::int64_t>>& extents) {
    if (extents.size() < 3 || extents[0]) return false;
    if (extents.size() == 3 && !extents[2]) return true;
    std::int64_t channels = 1;
    for (const auto& extent : std::span(extents).subspan(2)) channels *= extent.value_or(0);
    return is_extent_of_parameter(channels) && channels > 0;
  }

  bool is_extent_of_parameter(std::int64_t extent) {
    if (parameter_extents_.empty()) {
      parameter_extents_.insert(0);
      for (const at::Tensor& parameter : module_.parameters()) {
        parameter_extents_.insert(parameter.sizes().begin(), parameter.sizes().end());
      }
    }
    return parameter_extents_.contains(extent);
  }

  /// A grid of positions of fixed extents.
  void check_grid(const Node* node) {
    if (!is_aten(node, {"meshgrid"}) || node->input(0)->node()->kind() != prim::ListConstruct) return;
    const auto axes = node->input(0)->node()->inputs();
    const bool fixed = std::all_of(axes.begin(), axes.end(), [&](const Value* axis) {
      const Origins& origins = flow_.of(axis);
      return origins.generated && !origins.data && !origins.extents && !origins.parameter;
    });
    if (fixed && axes.size() >= 2) {
      add(audit_kind::kBakedShape, node, "makes a grid of positions whose extents are constants");
    }
  }

  // The batch.

  void check_batch(const Node* node) {
    if (node->inputs().size() < 2 || !is_aten(node, {"slice", "narrow", "select", "unbind", "split",
                                                     "split_with_sizes", "chunk", "view", "reshape"})) {
      return;
    }
    // A list of tensors has no axes, though its slices look the same.
    if (node->input(0)->type()->kind() != c10::TypeKind::TensorType) return;
    const auto axis = flow_.batch_axis(node->input(0));
    if (!axis || !flow_.of(node->input(0)).data) return;
    if (is_aten(node, {"view", "reshape"})) return check_batch_view(node, *axis);
    const bool splits = is_aten(node, {"split", "split_with_sizes", "chunk"});
    const std::size_t where = splits ? 2 : 1;
    if (where >= node->inputs().size() || constant_integer(node->input(where)) != axis) return;
    std::string what;
    if (is_aten(node, {"slice"})) {
      what = fixed_slice(node);
    } else if (is_aten(node, {"narrow"})) {
      what = narrowed(node);
    } else if (is_aten(node, {"select"})) {
      if (const auto index = constant_integer(node->input(2))) what = fmt::format("takes element {}", *index);
    } else {
      what = unpacked(node);
    }
    if (what.empty()) return;
    add(audit_kind::kBakedBatch, node,
        fmt::format("{} along axis {}, the batch, by constants: other batches need other code", what, *axis));
  }

  static std::string fixed_slice(const Node* node) {
    const auto first = constant_integer(node->input(2));
    const auto last = constant_integer(node->input(3));
    const bool from_start = !first || *first == 0;
    const bool to_end = !last || *last == kToTheEnd;
    if (from_start && to_end) return {};
    return fmt::format("takes the slice [{}:{}]", first ? fmt::format("{}", *first) : "",
                       last && !to_end ? fmt::format("{}", *last) : "");
  }

  static std::string narrowed(const Node* node) {
    const auto first = constant_integer(node->input(2)), length = constant_integer(node->input(3));
    return first && length ? fmt::format("takes the slice [{}:{}]", *first, *first + *length) : "";
  }

  static std::string unpacked(const Node* node) {
    for (const Use& use : node->output()->uses()) {
      if (use.user->kind() == prim::ListUnpack) {
        return fmt::format("unpacks {} elements", use.user->outputs().size());
      }
    }
    return {};
  }

  void check_batch_view(const Node* node, std::int64_t axis) {
    const auto extents = integer_list(node->input(1));
    if (axis != 0 || !extents || extents->size() < 2 || !is_fixed((*extents)[0])) return;
    if ((*extents)[0] == -1) return;
    add(audit_kind::kBakedBatch, node,
        fmt::format("fixes axis 0, the batch, at {}: {}", *(*extents)[0], text_of(*extents)));
  }

  // Modes and devices.

  void check_mode(const Node* node) {
    const auto is_true = [&](std::size_t i) {
      const auto value = i < node->inputs().size() ? torch::jit::toIValue(node->input(i)) : std::nullopt;
      return value && value->isBool() && value->toBool();
    };
    if (is_aten(node, {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"}) &&
        is_true(2)) {
      const auto rate = torch::jit::toIValue(node->input(1));
      if (rate && rate->isDouble() && rate->toDouble() == 0) return;
      add(audit_kind::kTrainingMode, node, "drops out at random: recorded in training mode");
    } else if (is_aten(node, {"batch_norm"}) && is_true(5)) {
      add(audit_kind::kTrainingMode, node,
          "normalises by the batch's own statistics: recorded in training mode");
    } else if (is_aten(node, {"bernoulli", "rand", "randn", "rand_like", "randn_like", "randint",
                              "multinomial", "normal", "rrelu_with_noise"})) {
      add(audit_kind::kTrainingMode, node, "draws random numbers");
    }
  }

  void check_device(const Node* node) {
    for (const Value* input : node->inputs()) {
      if (input->type()->kind() != c10::TypeKind::DeviceObjType) continue;
      const auto device = torch::jit::toIValue(input);
      if (!device || !device->isDevice() || device->toDevice().is_cpu()) continue;
      add(audit_kind::kBakedDevice, node,
          fmt::format("{} is tied to device {}, whatever the device of the module and its inputs",
                      op_name(node), device->toDevice().str()));
    }
  }

  const torch::jit::Module& module_;
  const FlatGraph& flat_;
  const AuditFacts& facts_;
  Dataflow flow_;
  std::set<std::tuple<std::string, std::string, std::string>> seen_;
  std::unordered_set<std::int64_t> parameter_extents_;
  std::vector<AuditFinding> findings_;
};

void count_devices(const FlatGraph& flat, const Block* block,
                   std::map<std::string, std::vector<const Node*>>& uses) {
  for (const Node* node : block->nodes()) {
    for (const Value* input : node->inputs()) {
      if (input->type()->kind() != c10::TypeKind::DeviceObjType) continue;
      const auto device = torch::jit::toIValue(input);
      if (device && device->isDevice() && device->toDevice().is_cpu())
        uses[device->toDevice().str()].push_back(node);
    }
    for (const Block* inner : node->blocks()) count_devices(flat, inner, uses);
  }
}

}  // namespace

std::vector<AuditFinding> audit(const torch::jit::Module& module, const FlatGraph& flat,
                                const AuditFacts& facts) {
  return Auditor(module, flat, facts).run();
}

std::vector<std::string> device_notes(const FlatGraph& flat) {
  std::map<std::string, std::vector<const Node*>> uses;
  count_devices(flat, flat.graph->block(), uses);
  std::vector<std::string> notes;
  for (const auto& [device, nodes] : uses) {
    notes.push_back(
        fmt::format("device {} is a constant in {} nodes, the first {}: moved to another device, the module "
                    "would mix the two",
                    device, nodes.size(), line_of(nodes.front())));
  }
  return notes;
}

}  // namespace deformdiff::worker
