// The steps that make a case smaller and are the operator's own: each keeps it valid.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "generators/shrink/level_steps.h"

#include <optional>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// What becomes of the rows between levels.
enum class Gaps {
  kKept,
  kDropped,
  kConsecutive,  ///< dropped, and the levels in their order
};

/// Where the points of a cropped level are.
enum class Points {
  kOnPixels,  ///< the same pixels: the pixel coordinate moves with the map's edge, as exactly as can be
  kInPlace,   ///< the same fraction of the map
};

/// Only the levels of `crops`, in their order, cut.
Draft keep_levels(const Draft& draft, const std::vector<Crop>& crops, Points points, Gaps gaps);

/// The smallest part of each level that holds every pixel that a point reads; at least one pixel.
std::vector<Crop> touched_parts(const Draft& draft);

/// The same problem with x for y and widths for heights. Nothing if levels share rows.
std::optional<Draft> transposed(const Draft& draft);

}  // namespace deformdiff::ms_deform_attn
