#include "faults/affected.h"

#include "blocks/block_list.h"

namespace deformdiff::worker {
namespace {

template <typename HasTensor>
std::set<std::string> blocks_where(const HasTensor& has_tensor) {
  std::set<std::string> names;
  for (const BlockDefinition* block : block_definitions()) {
    for (const TensorSpec& spec : block->tensors(block->default_attributes())) {
      if (has_tensor(spec)) names.insert(block->name());
    }
  }
  return names;
}

}  // namespace

std::set<std::string> blocks_with_attribute(const std::string& name) {
  std::set<std::string> names;
  for (const BlockDefinition* block : block_definitions()) {
    if (block->default_attributes().contains(name)) names.insert(block->name());
  }
  return names;
}

std::set<std::string> blocks_with_parameter(std::string_view ending) {
  return blocks_where(
      [&](const TensorSpec& spec) { return spec.is_parameter() && spec.name.ends_with(ending); });
}

std::set<std::string> blocks_with_input(std::string_view name, std::string_view axes) {
  return blocks_where([&](const TensorSpec& spec) { return spec.name == name && spec.axes == axes; });
}

}  // namespace deformdiff::worker
