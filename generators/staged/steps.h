// The single steps that shrinking of deep blocks is a list of.
#pragma once

#include "generators/staged/edits.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace deformdiff {

/// Some candidates of one kind, each made on demand; nothing where a step would change nothing.
struct StagedStep {
  std::int64_t count;
  std::function<std::optional<StagedDraft>(const StagedDraft&, std::int64_t)> make;
};
using StagedSteps = std::vector<StagedStep>;

/// Something that a case has several of: an extent, levels, maps, layers.
struct StagedAxis {
  enum class Kind : std::uint8_t { kExtent, kLevels, kMaps, kLayers };
  Kind kind;
  std::string extent;  ///< of kExtent
  std::int64_t size;
  std::int64_t least;  ///< a step leaves no fewer
  LayerStack stack;    ///< of kLayers
};

/// Layers first, then the rest from the largest on.
std::vector<StagedAxis> axes_by_size(const StagedDraft& draft);
StagedDraft keep_along(const StagedDraft& draft, const StagedAxis& axis, const Indices& indices);

/// Whole axes: all of them to one index; each to one index and to either half.
void add_large_structure_steps(const StagedDraft& draft, StagedSteps& steps);
/// A quarter, an eighth, ... one index off either end of each axis; levels of spatial_shapes cropped.
void add_trims(const StagedDraft& draft, StagedSteps& steps);
/// Each axis without one chunk: of a quarter, an eighth, ... one index.
void add_drops(const StagedDraft& draft, StagedSteps& steps);

/// All optional inputs left out, then one by one; attributes to the block's defaults; layouts contiguous.
void add_plainness_steps(const StagedDraft& draft, StagedSteps& steps);
/// Layouts simpler by one thing.
void add_layout_steps(const StagedDraft& draft, StagedSteps& steps);

/// All tensors, halves of their list, quarters, ... each set to a constant, an identity, small numbers.
void add_constant_steps(const StagedDraft& draft, StagedSteps& steps);
/// The same with numbers rounded.
void add_rounding_steps(const StagedDraft& draft, StagedSteps& steps);
/// Chunks of half the elements, a quarter, ... set to a constant: delta debugging; down to chunks of a few
/// elements, or from there to single ones.
void add_chunks(const StagedDraft& draft, StagedSteps& steps, bool single);
/// Each element by each rounding.
void add_single_roundings(const StagedDraft& draft, StagedSteps& steps);

}  // namespace deformdiff
