#include "generators/shrink/draft.h"

#include <utility>

namespace deformdiff {

Draft draft_of(const BlockDefinition& block, const Case& c) {
  Draft draft{&block, c, {}};
  for (NamedTensor& input : draft.dense.inputs) {
    if (input.tensor.is_contiguous()) continue;
    draft.storage_layouts.emplace(input.name, traits_of(input.tensor));
    input.tensor = input.tensor.contiguous();
  }
  return draft;
}

Case case_of(const Draft& draft) {
  Case c = draft.dense;
  for (NamedTensor& input : c.inputs) {
    const auto layout = draft.storage_layouts.find(input.name);
    if (layout != draft.storage_layouts.end()) input.tensor = with_traits(input.tensor, layout->second);
  }
  return c;
}

bool is_valid(const BlockDefinition& block, const Case& c) {
  try {
    block.validate(c);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

void set_input(Case& c, const std::string& name, Tensor tensor) {
  for (NamedTensor& input : c.inputs) {
    if (input.name != name) continue;
    input.tensor = std::move(tensor);
    return;
  }
}

Draft keep_extent(const Draft& draft, const Extents& extents, const std::string& extent,
                  const Indices& indices) {
  Draft kept = draft;
  for (const TensorSpec& spec : draft.block->tensors(draft.dense.attributes)) {
    const Tensor* const tensor = draft.dense.find_input(spec.name);
    if (tensor == nullptr || !has_extent(spec, extent)) continue;
    set_input(kept.dense, spec.name, gather(*tensor, spec, extents, extent, indices));
  }
  const auto attributes = draft.block->extent_attributes();
  const auto attribute = attributes.find(extent);
  if (attribute != attributes.end()) {
    kept.dense.attributes[attribute->second] = static_cast<double>(indices.size());
  }
  return kept;
}

}  // namespace deformdiff
