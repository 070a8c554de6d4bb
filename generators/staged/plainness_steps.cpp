#include "generators/staged/edits.h"
#include "generators/staged/simplicity.h"
#include "generators/staged/steps.h"

#include <algorithm>

namespace deformdiff {
namespace {

std::vector<std::string> optional_inputs(const Draft& draft) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : draft.block->tensors(draft.dense.attributes)) {
    if (spec.optional && draft.dense.find_input(spec.name) != nullptr) names.push_back(spec.name);
  }
  return names;
}

Draft without_all(const Draft& draft, const std::vector<std::string>& names) {
  Draft smaller = draft;
  for (const std::string& name : names) smaller = without(smaller, name);
  return smaller;
}

/// Attributes that are not the default and that a step may change.
std::vector<std::string> unusual_attributes(const Draft& draft) {
  std::vector<std::string> names;
  for (const auto& [name, usual] : draft.block->default_attributes()) {
    // bits is the dtype of a block that has no floating tensor.
    if (name == "bits" || counts_something(*draft.block, name)) continue;
    if (draft.dense.attributes.at(name) != usual) names.push_back(name);
  }
  return names;
}

Draft with_default(const Draft& draft, const std::string& attribute) {
  return with_attribute(draft, attribute, draft.block->default_attributes().at(attribute));
}

}  // namespace

void add_plainness_steps(const Draft& draft, Steps& steps) {
  const std::vector<std::string> optional = optional_inputs(draft);
  std::vector<std::vector<std::string>> dropped;
  if (optional.size() > 1) dropped.push_back(optional);
  std::vector<std::string>& parameters = dropped.emplace_back();
  std::ranges::copy_if(optional, std::back_inserter(parameters), is_parameter);
  for (const std::string& name : optional) {
    if (!is_parameter(name)) dropped.push_back({name});
  }
  std::erase_if(dropped, [](const std::vector<std::string>& names) { return names.empty(); });
  steps.push_back({static_cast<std::int64_t>(dropped.size()),
                   [dropped](const Draft& from, std::int64_t which) -> std::optional<Draft> {
                     return without_all(from, dropped[static_cast<std::size_t>(which)]);
                   }});
  const std::vector<std::string> unusual = unusual_attributes(draft);
  if (unusual.size() > 1) {
    steps.push_back({1, [unusual](const Draft& from, std::int64_t) -> std::optional<Draft> {
                       Draft plain = from;
                       for (const std::string& name : unusual) plain = with_default(plain, name);
                       return plain;
                     }});
  }
  steps.push_back({static_cast<std::int64_t>(unusual.size()),
                   [unusual](const Draft& from, std::int64_t which) -> std::optional<Draft> {
                     return with_default(from, unusual[static_cast<std::size_t>(which)]);
                   }});
}

}  // namespace deformdiff
