#include "generators/staged/ablations.h"

#include "generators/shrink/ablations.h"
#include "generators/staged/edits.h"
#include "generators/staged/simplicity.h"
#include "generators/staged/steps.h"

#include <algorithm>
#include <string>
#include <utility>

namespace deformdiff {
namespace {

Step no_way() {
  return {0, {}};
}

Ablation one(const BlockDefinition& block, const std::string& words, const std::string& extent) {
  return ablation(block, words, [extent](const Draft& draft) {
    const ShrinkAxes axes = axes_by_size(draft);
    const auto axis = std::ranges::find(axes, extent, &ShrinkAxis::extent);
    return axis == axes.end() ? no_way() : one_of(*axis);
  });
}

Step one_level(const Draft& draft) {
  const auto levels = static_cast<std::int64_t>(whole_levels(draft).size());
  const auto keep_whole = [](const Draft& from, const Indices& indices) {
    return keep_levels(from, whole_levels(from, indices));
  };
  if (levels > 0) return one_of({levels, keep_whole, 1, ""});
  const std::int64_t maps = map_count(draft);
  return maps > 0 ? one_of({maps, keep_maps, 1, ""}) : no_way();
}

/// The first of each stack.
Step one_layer(const Draft& draft) {
  if (layer_stacks(draft).empty()) return no_way();
  return one_way([](const Draft& from) -> std::optional<Draft> {
    Draft smaller = from;
    for (const LayerStack& stack : layer_stacks(from)) {
      if (stack.count > 1) smaller = keep_layers(smaller, stack, {0});
    }
    return smaller;
  });
}

Step square_maps(const Draft& draft) {
  if (whole_levels(draft).empty()) return no_way();
  return one_way([](const Draft& from) -> std::optional<Draft> {
    std::vector<Crop> crops = whole_levels(from);
    bool changed = false;
    for (Crop& crop : crops) {
      if (crop.height != crop.width && std::min(crop.height, crop.width) == 1) return std::nullopt;
      changed = changed || crop.height != crop.width;
      crop.height = crop.width = std::min(crop.height, crop.width);
    }
    return changed ? keep_levels(from, crops) : from;
  });
}

Step default_attributes(const Draft&) {
  return one_way([](const Draft& from) -> std::optional<Draft> {
    Draft plain = from;
    for (const auto& [name, usual] : from.block->default_attributes()) {
      // bits is the dtype of a block that has no floating tensor.
      if (name == "bits" || counts_something(*from.block, name)) continue;
      if (plain.dense.attributes.at(name) != usual) plain = with_attribute(plain, name, usual);
    }
    return plain;
  });
}

WaysWithout leaving_out(const std::string& input) {
  return [input](const Draft&) {
    return one_way([input](const Draft& from) -> std::optional<Draft> {
      return from.dense.find_input(input) == nullptr ? from : without(from, input);
    });
  };
}

}  // namespace

Ablations deep_ablations(const BlockDefinition& block) {
  Ablations list{ablation(block, "one layer", one_layer),
                 ablation(block, "one level", one_level),
                 one(block, "one point", "P"),
                 one(block, "one head", "M"),
                 one(block, "a batch of one", "B"),
                 one(block, "one query", "Q")};
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (!spec.optional || spec.is_parameter()) continue;
    list.push_back(ablation(block, "no " + spec.name, leaving_out(spec.name)));
  }
  list.push_back(ablation(block, "default attributes", default_attributes));
  list.push_back(ablation(block, "square maps", square_maps));
  return list;
}

}  // namespace deformdiff
