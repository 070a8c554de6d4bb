// Sizes of the maps of a pyramid, and where they begin in value.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "generators/common/draw.h"

#include <cstdint>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// `count` maps of `area` pixels at most each: small, long, of one pixel, row or column, transposed twins, by
/// size or in any order; all sides powers of two if so wanted.
std::vector<Level> draw_levels(Draw& draw, std::int64_t count, std::int64_t area, bool power_of_two);

/// One side beyond what 8, 12, 15 or 16 bits count.
Level draw_long_level(Draw& draw);

/// How level_start_index relates to the shapes.
enum class Starts { kConsecutive, kPermuted, kGapped, kOverlapping };

Starts draw_starts(Draw& draw);

/// Places `levels` in the rows of value; returns how many rows that takes.
std::int64_t place_levels(std::vector<Level>& levels, Starts starts, Draw& draw);

}  // namespace deformdiff::ms_deform_attn
