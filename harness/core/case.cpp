#include "core/case.h"

#include <fmt/format.h>

namespace deformdiff {

const Tensor& Case::input(std::string_view name) const {
  for (const NamedTensor& input : inputs) {
    if (input.name == name) return input.tensor;
  }
  throw InputError(fmt::format("block {}: input '{}' is missing", block, name));
}

std::int64_t Case::attribute(const std::string& name) const {
  const auto found = attributes.find(name);
  if (found == attributes.end()) {
    throw InputError(fmt::format("block {}: attribute '{}' is missing", block, name));
  }
  return found->second;
}

std::int64_t element_count(const Case& c) {
  std::int64_t total = 0;
  for (const NamedTensor& input : c.inputs) total += input.tensor.elements();
  return total;
}

std::int64_t storage_bytes(const Case& c) {
  std::int64_t bytes = 0;
  for (const NamedTensor& input : c.inputs) bytes += static_cast<std::int64_t>(input.tensor.storage().size());
  return bytes;
}

}  // namespace deformdiff
