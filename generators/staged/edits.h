// The steps that make a case of a deep block smaller.
#pragma once

#include "generators/shrink/level_steps.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

/// Names under which keep() knows the elements of the input target_size.
constexpr const char* kTargetHeight = "target height";
constexpr const char* kTargetWidth = "target width";

/// Only `indices` of an extent in every tensor that has it. What must follow does: the attribute that fixes
/// the extent, an input that holds sizes, groups that channels no longer divide into, channels that must
/// agree.
Draft keep(const Draft& draft, const std::string& extent, const Indices& indices);

/// Only the levels of `crops`, in their order, cut; rows of S follow.
Draft keep_levels(const Draft& draft, const std::vector<Crop>& crops);

/// Levels where each is a map of its own, "features.i" or "multi_scale_features.i"; 0 where they are not, or
/// each is an output too, so that there must be as many.
std::int64_t map_count(const Draft& draft);

/// Only the maps and projections of these levels, numbered anew.
Draft keep_maps(const Draft& draft, const Indices& levels);

/// A stack of layers: parameters "PREFIX.k.REST", and the attribute that counts them.
struct LayerStack {
  std::string prefix;  ///< "param.encoder.layers"
  std::string attribute;
  std::int64_t count = 0;
};

std::vector<LayerStack> layer_stacks(const Draft& draft);

/// Only the layers `indices`, numbered anew; none may be possible.
Draft keep_layers(const Draft& draft, const LayerStack& stack, const Indices& indices);

/// Without one input.
Draft without(const Draft& draft, const std::string& input);

/// With one attribute changed; tensors whose axes it orders are transposed.
Draft with_attribute(const Draft& draft, const std::string& name, double value);

}  // namespace deformdiff
