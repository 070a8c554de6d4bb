#include "core/case.h"

#include <cmath>

#include <fmt/format.h>

namespace deformdiff {

const Tensor& Case::input(std::string_view name) const {
  if (const Tensor* found = find_input(name)) return *found;
  throw InputError(fmt::format("block {}: input '{}' is missing", block, name));
}

const Tensor* Case::find_input(std::string_view name) const {
  return find_tensor(inputs, name);
}

double Case::number(const std::string& name) const {
  const auto found = attributes.find(name);
  if (found == attributes.end()) {
    throw InputError(fmt::format("block {}: attribute '{}' is missing", block, name));
  }
  return found->second;
}

std::int64_t Case::attribute(const std::string& name) const {
  const double value = number(name);
  if (std::trunc(value) != value || std::abs(value) >= 0x1p53) {
    throw InputError(
        fmt::format("block {}: attribute '{}' is {}, a whole number wanted", block, name, value));
  }
  return static_cast<std::int64_t>(value);
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

std::int64_t dense_bytes(const Case& c) {
  std::int64_t bytes = 0;
  for (const auto& [name, input] : c.inputs)
    bytes += input.elements() * static_cast<std::int64_t>(size_of(input.dtype()));
  return bytes;
}

}  // namespace deformdiff
