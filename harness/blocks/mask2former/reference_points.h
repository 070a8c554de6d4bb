// Where each pixel of every level lies, as a fraction of the valid part of each level's map.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/levels.h"
#include "blocks/stage_builder.h"

#include <vector>

namespace deformdiff::reference_points {

/// The stages reference_points_per_level.l, [B, H*W, 2], and reference_points, [B, S, L, 2]; the latter's
/// value.
Value append(StageBuilder& b, const Scope& scope, const std::vector<LevelSize>& levels,
             const Value& spatial_shapes, const Value& valid_ratios);

/// Inputs: spatial_shapes int64 [L, 2], valid_ratios [B, L, 2] (width, then height). No attributes. Output:
/// reference_points [B, S, L, 2], as (x, y).
const BlockDefinition& block();

}  // namespace deformdiff::reference_points
