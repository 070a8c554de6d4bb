#include "generators/staged/simplicity.h"
#include "generators/staged/steps.h"

#include <algorithm>
#include <set>
#include <utility>

namespace deformdiff {
namespace {

bool is_valid(const StagedDraft& draft) {
  try {
    draft.block->validate(draft.dense);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

Indices all_but(std::int64_t count, std::int64_t first, std::int64_t last) {
  Indices indices = index_range(0, first);
  for (std::int64_t i = last; i < count; ++i) indices.push_back(i);
  return indices;
}

/// Names of the extents that keep() can make smaller, with their sizes.
std::vector<std::pair<std::string, std::int64_t>> shrinkable_extents(const StagedDraft& draft) {
  const Extents extents = draft.block->dimensions(draft.dense);
  const bool levels = draft.dense.find_input("spatial_shapes") != nullptr;
  std::set<std::string> names;
  for (const TensorSpec& spec : draft.block->tensors(draft.dense.attributes)) {
    if (draft.dense.find_input(spec.name) == nullptr) continue;
    for (const Factors& axis : axes_of(spec)) names.insert(axis.begin(), axis.end());
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

/// The size of an axis of an earlier draft: an extent may have followed another one since.
std::int64_t size_now(const StagedDraft& draft, const StagedAxis& axis) {
  if (axis.kind != StagedAxis::Kind::kExtent) return axis.size;
  const Extents extents = draft.block->dimensions(draft.dense);
  const auto found = extents.find(axis.extent);
  return found == extents.end() ? axis.size : found->second;
}

/// Index 0 of every axis, or the last, and of levels a single pixel if `one_pixel`; an axis that the block
/// does not let go so far is left alone.
std::optional<StagedDraft> single_everything(const StagedDraft& draft, bool last, bool one_pixel) {
  StagedDraft smaller = draft;
  bool changed = false;
  for (const StagedAxis& axis : axes_by_size(draft)) {
    const std::int64_t size = size_now(smaller, axis);
    if (size <= 1) continue;
    StagedDraft next = keep_along(smaller, axis, {last ? size - 1 : 0});
    if (!is_valid(next)) continue;
    smaller = std::move(next);
    changed = true;
  }
  std::vector<StagedCrop> crops = whole_levels(smaller);
  if (one_pixel && !crops.empty()) {
    for (StagedCrop& crop : crops) {
      changed = changed || crop.height > 1 || crop.width > 1;
      crop = {crop.level, last ? crop.height - 1 : 0, 1, last ? crop.width - 1 : 0, 1};
    }
    smaller = keep_levels(smaller, crops);
  }
  if (!changed) return std::nullopt;
  return smaller;
}

/// Each map down to half, to one row or column, or by a single row or column, from either end.
void add_crops(const StagedDraft& draft, StagedSteps& steps) {
  const auto levels = static_cast<std::int64_t>(whole_levels(draft).size());
  for (const int part : {0, 1, 2}) {
    steps.push_back(
        {levels * 4, [part](const StagedDraft& from, std::int64_t which) -> std::optional<StagedDraft> {
           std::vector<StagedCrop> crops = whole_levels(from);
           StagedCrop& crop = crops[static_cast<std::size_t>(which / 4)];
           const bool vertical = which % 2 == 0;
           std::int64_t& size = vertical ? crop.height : crop.width;
           std::int64_t& begin = vertical ? crop.top : crop.left;
           if (size <= 1) return std::nullopt;
           const std::int64_t old = size;
           size = part == 0 ? (old + 1) / 2 : part == 1 ? 1 : old - 1;
           if (which % 4 >= 2) begin = old - size;
           return keep_levels(from, crops);
         }});
  }
}

}  // namespace

std::vector<StagedAxis> axes_by_size(const StagedDraft& draft) {
  using Kind = StagedAxis::Kind;
  std::vector<StagedAxis> axes;
  for (const auto& [name, size] : shrinkable_extents(draft))
    axes.push_back({Kind::kExtent, name, size, 1, {}});
  const auto levels = static_cast<std::int64_t>(whole_levels(draft).size());
  axes.push_back({Kind::kLevels, "", levels, 1, {}});
  axes.push_back({Kind::kMaps, "", map_count(draft), 1, {}});
  std::ranges::stable_sort(axes, std::ranges::greater(), &StagedAxis::size);
  std::vector<StagedAxis> layers_first;
  for (const LayerStack& stack : layer_stacks(draft)) {
    layers_first.push_back({Kind::kLayers, "", stack.count, 0, stack});
  }
  layers_first.insert(layers_first.end(), axes.begin(), axes.end());
  return layers_first;
}

StagedDraft keep_along(const StagedDraft& draft, const StagedAxis& axis, const Indices& indices) {
  switch (axis.kind) {
    case StagedAxis::Kind::kExtent:
      return keep(draft, axis.extent, indices);
    case StagedAxis::Kind::kLevels: {
      const std::vector<StagedCrop> whole = whole_levels(draft);
      std::vector<StagedCrop> kept;
      for (const std::int64_t l : indices) kept.push_back(whole[static_cast<std::size_t>(l)]);
      return keep_levels(draft, kept);
    }
    case StagedAxis::Kind::kMaps:
      return keep_maps(draft, indices);
    case StagedAxis::Kind::kLayers:
      return keep_layers(draft, axis.stack, indices);
  }
  return draft;
}

void add_large_structure_steps(const StagedDraft& draft, StagedSteps& steps) {
  const bool levels = !whole_levels(draft).empty();
  steps.push_back({levels ? 4 : 2, [levels](const StagedDraft& from, std::int64_t which) {
                     return single_everything(from, which % 2 == 1, levels && which < 2);
                   }});
  for (const StagedAxis& axis : axes_by_size(draft)) {
    if (axis.size <= axis.least) continue;
    const std::int64_t half = (axis.size + 1) / 2;
    std::vector<Indices> kept;
    if (axis.least == 0) kept.emplace_back();
    if (axis.size > 1) {
      kept.push_back({0});
      if (axis.size > 2) kept.push_back(index_range(0, half));
      kept.push_back(index_range(half, axis.size));
    }
    steps.push_back({static_cast<std::int64_t>(kept.size()),
                     [axis, kept](const StagedDraft& from, std::int64_t which) -> std::optional<StagedDraft> {
                       return keep_along(from, axis, kept[static_cast<std::size_t>(which)]);
                     }});
  }
}

void add_trims(const StagedDraft& draft, StagedSteps& steps) {
  for (const StagedAxis& axis : axes_by_size(draft)) {
    for (std::int64_t chunk = axis.size / 4; chunk > 0; chunk /= 2) {
      steps.push_back(
          {2, [axis, chunk](const StagedDraft& from, std::int64_t which) -> std::optional<StagedDraft> {
             return keep_along(
                 from, axis, which == 0 ? index_range(0, axis.size - chunk) : index_range(chunk, axis.size));
           }});
    }
  }
  add_crops(draft, steps);
}

void add_drops(const StagedDraft& draft, StagedSteps& steps) {
  for (const StagedAxis& axis : axes_by_size(draft)) {
    if (axis.size < 2) continue;
    for (std::int64_t chunk = std::max<std::int64_t>(1, axis.size / 4); chunk > 0; chunk /= 2) {
      const std::int64_t count = (axis.size + chunk - 1) / chunk;
      steps.push_back(
          {count, [axis, chunk](const StagedDraft& from, std::int64_t which) -> std::optional<StagedDraft> {
             const std::int64_t first = which * chunk;
             return keep_along(from, axis, all_but(axis.size, first, std::min(axis.size, first + chunk)));
           }});
    }
  }
}

}  // namespace deformdiff
