// A case of a deep block taken apart, and the steps that make its structure smaller.
#pragma once

#include "generators/staged/axes.h"
#include "generators/common/storage_layout.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

struct StagedDraft {
  const BlockDefinition* block;
  Case dense;                                   ///< all tensors contiguous
  std::map<std::string, LayoutTraits> layouts;  ///< of those that were not
};

StagedDraft draft_of(const BlockDefinition& block, const Case& c);
Case case_of(const StagedDraft& draft);

/// Names under which keep() knows the elements of the input target_size.
constexpr const char* kTargetHeight = "target height";
constexpr const char* kTargetWidth = "target width";

/// Only `indices` of an extent in every tensor that has it. What must follow does: the attribute that fixes
/// the extent, an input that holds sizes, groups that channels no longer divide into, channels that must
/// agree.
StagedDraft keep(const StagedDraft& draft, const std::string& extent, const Indices& indices);

/// A level of spatial_shapes cut to `height` x `width` pixels from (top, left).
struct StagedCrop {
  std::int64_t level;
  std::int64_t top, height, left, width;
};

/// Every level of spatial_shapes whole; none where the block has no such input.
std::vector<StagedCrop> whole_levels(const StagedDraft& draft);

/// Only the levels of `crops`, in their order, cut; rows of S follow.
StagedDraft keep_levels(const StagedDraft& draft, const std::vector<StagedCrop>& crops);

/// Levels where each is a map of its own, "features.i" or "multi_scale_features.i"; 0 where they are not, or
/// each is an output too, so that there must be as many.
std::int64_t map_count(const StagedDraft& draft);

/// Only the maps and projections of these levels, numbered anew.
StagedDraft keep_maps(const StagedDraft& draft, const Indices& levels);

/// A stack of layers: parameters "PREFIX.k.REST", and the attribute that counts them.
struct LayerStack {
  std::string prefix;  ///< "param.encoder.layers"
  std::string attribute;
  std::int64_t count = 0;
};

std::vector<LayerStack> layer_stacks(const StagedDraft& draft);

/// Only the layers `indices`, numbered anew; none may be possible.
StagedDraft keep_layers(const StagedDraft& draft, const LayerStack& stack, const Indices& indices);

/// Without one input.
StagedDraft without(const StagedDraft& draft, const std::string& input);

/// With one attribute changed; tensors whose axes it orders are transposed.
StagedDraft with_attribute(const StagedDraft& draft, const std::string& name, double value);

/// The tensors that the block describes for `attributes`, in its order; those that `tensors` lacks are left
/// out.
std::vector<NamedTensor> arranged(const BlockDefinition& block, const Attributes& attributes,
                                  const std::map<std::string, Tensor>& tensors);

}  // namespace deformdiff
