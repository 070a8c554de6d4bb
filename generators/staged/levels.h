// Sizes of the maps of a pyramid.
#pragma once

#include "generators/staged/sketch.h"

#include <cstdint>
#include <vector>

namespace deformdiff {

/// Typical: each about twice the one before, odd sizes among them. Adversarial: one pixel, one row, one
/// column, transposed twins, any order. Degenerate: mostly one pixel each.
std::vector<LevelSize> draw_levels(DeepTier tier, std::int64_t count, Draw& draw);

/// A pyramid of few pixels, for models of real width.
std::vector<LevelSize> draw_small_levels(std::int64_t count, Draw& draw);

}  // namespace deformdiff
