// The sine embedding of a map's coordinates: y in the first half of the channels, x in the second.
// Source: Carion et al., DETR, 2020; the two-dimensional form of Vaswani et al., 2017, section 3.5.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/stage_builder.h"

#include <string>

namespace deformdiff::position_embedding {

/// position_temperature, position_scale, position_eps, position_normalize, position_offset.
Attributes default_attributes();

/// What there is to embed: a map's size, int64 [2], or which of its cells are valid, bool [B, H, W].
struct Map {
  std::string kind;  ///< "spatial_shape" or "mask"
  Value value;
  std::int64_t batch, height, width;
};

/// The stages y_embed, x_embed, dim_t, angle_y and angle_x under `scope`, and `name` [B, 2 features, H, W],
/// whose value it returns.
Value append(StageBuilder& b, const Scope& scope, const std::string& name, const Map& map,
             std::int64_t features);

/// Inputs: spatial_shape int64 [2] (height, width), mask bool [B, H, W] (may be left out; true where valid:
/// coordinates count the valid cells). Attributes: num_position_features (128, of each coordinate),
/// position_temperature (10000), position_scale (2 pi), position_eps (1e-6), position_normalize (1),
/// position_offset (0), bits (32 or 64: the dtype of the run). Output: position_embedding [B, 2
/// num_position_features, H, W]; B is 1 without a mask.
const BlockDefinition& block();

}  // namespace deformdiff::position_embedding
