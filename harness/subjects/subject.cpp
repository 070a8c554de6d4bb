#include "subjects/subject.h"

#include <cmath>

#include <c10/util/Exception.h>

namespace deformdiff::worker {

const at::Tensor* Call::find_input(std::string_view name) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return &inputs[i];
  }
  return nullptr;
}

const at::Tensor& Call::input(std::string_view name) const {
  const at::Tensor* found = find_input(name);
  TORCH_CHECK_VALUE(found != nullptr, block, ": input '", name, "' is missing");
  return *found;
}

double Call::number(const std::string& name) const {
  const auto found = attributes.find(name);
  TORCH_CHECK_VALUE(found != attributes.end(), block, ": attribute '", name, "' is missing");
  return found->second;
}

std::int64_t Call::integer(const std::string& name) const {
  return std::llround(number(name));
}

}  // namespace deformdiff::worker
