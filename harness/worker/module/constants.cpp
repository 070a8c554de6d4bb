#include "worker/module/constants.h"

#include <algorithm>

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;

}  // namespace

std::optional<std::int64_t> constant_integer(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isInt()) return std::nullopt;
  return constant->toInt();
}

std::optional<std::vector<std::optional<std::int64_t>>> integer_list(const Value* value) {
  std::vector<std::optional<std::int64_t>> elements;
  if (const auto constant = torch::jit::toIValue(value)) {
    if (!constant->isIntList()) return std::nullopt;
    for (const std::int64_t each : constant->toIntVector()) elements.emplace_back(each);
    return elements;
  }
  if (value->node()->kind() != prim::ListConstruct) return std::nullopt;
  for (const Value* each : value->node()->inputs()) {
    if (each->type()->kind() != c10::TypeKind::IntType) return std::nullopt;
    elements.push_back(constant_integer(each));
  }
  return elements;
}

std::optional<at::Tensor> constant_tensor(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isTensor() || !constant->toTensor().defined()) return std::nullopt;
  return constant->toTensor();
}

bool is_aten(const Node* node, std::initializer_list<std::string_view> names) {
  if (!node->kind().is_aten()) return false;
  std::string_view name = node->kind().toUnqualString();
  const auto is_named = [&](std::string_view wanted) { return wanted == name; };
  if (std::any_of(names.begin(), names.end(), is_named)) return true;
  if (name.size() < 2 || name.back() != '_') return false;
  name.remove_suffix(1);
  return std::any_of(names.begin(), names.end(), is_named);
}

std::string_view op_name(const Node* node) {
  return node->kind().toUnqualString();
}

const Value* behind_views(const Value* value) {
  while (is_aten(value->node(), {"unsqueeze", "squeeze", "slice", "detach", "to", "contiguous", "clone",
                                 "expand", "alias", "type_as", "view", "reshape", "_unsafe_view", "repeat",
                                 "flatten", "float", "double", "flip"})) {
    value = value->node()->input(0);
  }
  return value;
}

TracedSizes::TracedSizes(const std::vector<std::string>& names,
                         const std::vector<std::optional<Shape>>& shapes) {
  struct Map {
    std::int64_t tokens;
    std::string text;
  };
  std::vector<Map> maps;
  for (std::size_t i = 0; i < shapes.size() && i < names.size(); ++i) {
    if (!shapes[i]) continue;
    const Shape& shape = *shapes[i];
    if (shape.size() == 4) {
      maps.push_back({shape[2] * shape[3], fmt::format("{}x{} of {}", shape[2], shape[3], names[i])});
    } else if (shape.size() == 3) {
      sizes_.emplace(shape[1], fmt::format("{} along axis 1 of {}", shape[1], names[i]));
    }
  }
  for (std::size_t first = 0; first < maps.size(); ++first) {
    Map sum{0, ""};
    for (std::size_t last = first; last < maps.size(); ++last) {
      sum.tokens += maps[last].tokens;
      sum.text += (last == first ? "" : " + ") + maps[last].text;
      sizes_.emplace(sum.tokens, sum.text);
    }
  }
}

std::string TracedSizes::explain(std::int64_t size) const {
  const auto found = sizes_.find(size);
  return found == sizes_.end() ? "" : found->second;
}

std::string TracedSizes::explain(at::IntArrayRef extents) const {
  for (const std::int64_t extent : extents) {
    if (extent < 2) continue;
    if (const std::string text = explain(extent); !text.empty()) return text;
  }
  return {};
}

}  // namespace deformdiff::worker
