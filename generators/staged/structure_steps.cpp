#include "generators/staged/edits.h"
#include "generators/staged/steps.h"

#include <algorithm>
#include <set>
#include <utility>

namespace deformdiff {
namespace {

/// Names of the extents that keep() can make smaller, with their sizes.
std::vector<std::pair<std::string, std::int64_t>> shrinkable_extents(const Draft& draft) {
  const Extents extents = draft.block->dimensions(draft.dense);
  const bool levels = draft.dense.find_input("spatial_shapes") != nullptr;
  std::set<std::string> names;
  for (const TensorSpec& spec : draft.block->tensors(draft.dense.attributes)) {
    if (draft.dense.find_input(spec.name) == nullptr) continue;
    for (const Factors& axis : parse_axes(spec.axes)) names.insert(axis.begin(), axis.end());
  }
  for (const auto& [extent, attribute] : draft.block->extent_attributes()) names.insert(extent);
  if (draft.dense.find_input("spatial_shape") != nullptr) names.insert({"H", "W"});
  names.erase("L");
  if (levels) names.erase("S");
  std::vector<std::pair<std::string, std::int64_t>> sizes;
  for (const std::string& name : names) {
    const auto found = extents.find(name);  // a number is no extent
    if (found != extents.end()) sizes.emplace_back(name, found->second);
  }
  if (const Tensor* const target = draft.dense.find_input("target_size")) {
    sizes.emplace_back(kTargetHeight, target->values<std::int64_t>()[0]);
    sizes.emplace_back(kTargetWidth, target->values<std::int64_t>()[1]);
  }
  return sizes;
}

/// The first pixel, or the last, of each level of what is left.
std::optional<Draft> single_pixels(const Draft& draft, std::optional<Draft> smaller, bool last) {
  const Draft& from = smaller ? *smaller : draft;
  bool changed = smaller.has_value();
  std::vector<Crop> crops = whole_levels(from);
  for (Crop& crop : crops) {
    changed = changed || crop.height > 1 || crop.width > 1;
    crop = {crop.level, last ? crop.height - 1 : 0, 1, last ? crop.width - 1 : 0, 1};
  }
  if (!changed) return std::nullopt;
  return keep_levels(from, crops);
}

}  // namespace

ShrinkAxes axes_by_size(const Draft& draft) {
  ShrinkAxes axes;
  for (const auto& [name, size] : shrinkable_extents(draft)) {
    const auto keep_indices = [name = name](const Draft& from, const Indices& indices) {
      return keep(from, name, indices);
    };
    axes.push_back({size, keep_indices, 1, name});
  }
  const auto keep_whole = [](const Draft& from, const Indices& levels) {
    return keep_levels(from, whole_levels(from, levels));
  };
  axes.push_back({static_cast<std::int64_t>(whole_levels(draft).size()), keep_whole, 1, ""});
  axes.push_back({map_count(draft), keep_maps, 1, ""});
  std::ranges::stable_sort(axes, std::ranges::greater(), &ShrinkAxis::size);
  ShrinkAxes layers_first;
  for (const LayerStack& stack : layer_stacks(draft)) {
    const auto keep_some = [stack](const Draft& from, const Indices& indices) {
      return keep_layers(from, stack, indices);
    };
    layers_first.push_back({stack.count, keep_some, 0, ""});
  }
  layers_first.insert(layers_first.end(), axes.begin(), axes.end());
  return layers_first;
}

Step single_everything_step(const Draft& draft, const ShrinkAxes& axes) {
  const bool levels = !whole_levels(draft).empty();
  return {levels ? 4 : 2, [axes, levels](const Draft& from, std::int64_t which) {
            const bool last = which % 2 == 1;
            std::optional<Draft> smaller = single_everything(from, axes, last);
            if (levels && which < 2) return single_pixels(from, std::move(smaller), last);
            return smaller;
          }};
}

}  // namespace deformdiff
