#include "generators/staged/facts.h"

#include "blocks/tensor_list.h"
#include "core/number.h"

#include <algorithm>

namespace deformdiff {

DeepFacts::DeepFacts(const BlockDefinition& block, const Case& c)
    : case_(c), extents_(block.dimensions(c)), defaults_(block.default_attributes()) {
  if (has("spatial_shapes")) {
    levels_ = level_sizes(c);
    return;
  }
  for (std::int64_t l = 0; extents_.contains(numbered("H", l)); ++l) {
    levels_.push_back({extents_.at(numbered("H", l)), extents_.at(numbered("W", l))});
  }
  if (levels_.empty() && has("spatial_shape")) levels_.push_back({extents_.at("H"), extents_.at("W")});
}

std::int64_t DeepFacts::extent(const std::string& name) const {
  const auto found = extents_.find(name);
  return found == extents_.end() ? 0 : found->second;
}

double DeepFacts::attribute(const std::string& name) const {
  const auto found = case_.attributes.find(name);
  return found == case_.attributes.end() ? 0 : found->second;
}

bool DeepFacts::is_default(const std::string& attribute) const {
  const auto found = defaults_.find(attribute);
  return found == defaults_.end() || case_.attributes.at(attribute) == found->second;
}

bool DeepFacts::any_element(std::string_view suffix, const std::function<bool(double)>& holds) const {
  return any_tensor([&](const NamedTensor& input) {
    if (!input.name.ends_with(suffix)) return false;
    const Tensor dense = input.tensor.contiguous();
    const auto bytes = dense.storage();
    const std::size_t size = size_of(dense.dtype());
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      if (holds(load_number(dense.dtype(), bytes.data() + at))) return true;
    }
    return false;
  });
}

bool DeepFacts::all_elements(std::string_view suffix, const std::function<bool(double)>& holds) const {
  return !any_element(suffix, [&](double x) { return !holds(x); });
}

bool DeepFacts::any_row(std::string_view suffix,
                        const std::function<bool(const std::vector<double>&)>& holds) const {
  return any_tensor([&](const NamedTensor& input) {
    const Tensor& tensor = input.tensor;
    if (!input.name.ends_with(suffix) || tensor.elements() == 0 || tensor.shape().empty()) return false;
    const std::int64_t length = tensor.shape().back();
    std::vector<double> row(static_cast<std::size_t>(length));
    for (std::int64_t first = 0; first < tensor.elements(); first += length) {
      for (std::int64_t i = 0; i < length; ++i) row[static_cast<std::size_t>(i)] = tensor.element(first + i);
      if (holds(row)) return true;
    }
    return false;
  });
}

bool DeepFacts::any_tensor(const std::function<bool(const NamedTensor&)>& holds) const {
  return std::ranges::any_of(case_.inputs, holds);
}

}  // namespace deformdiff
