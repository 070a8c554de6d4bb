// What a case is but for its elements: dtype, extents, levels, im2col_step.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "generators/common/draw.h"

#include <vector>

namespace deformdiff::ms_deform_attn {

struct Structure {
  DType dtype = DType::kFloat32;
  Dims dims{};
  std::vector<Level> levels;
  std::int64_t im2col_step = 64;
};

/// How level_start_index relates to the shapes.
enum class Starts { kConsecutive, kPermuted, kGapped, kOverlapping };

/// Places `levels` in the rows of value; returns how many rows that takes.
std::int64_t place_levels(std::vector<Level>& levels, Starts starts, Draw& draw);

/// Scaled-down real models: 4 or 8 heads of 16, 32 or 64 channels, 3 or 4 levels, each twice the one before.
Structure draw_typical(Draw& draw);

/// Extents around every limit that a kernel may have: odd, prime, powers of two and their neighbours, more
/// than a warp, a block or a grid holds; maps of one pixel, one row or one column, transposed twins, gaps.
Structure draw_adversarial(Draw& draw);

/// An adversarial structure whose sides are powers of two.
Structure draw_exact(Draw& draw);

/// Empty along an axis, or of one element along most.
Structure draw_degenerate(Draw& draw);

}  // namespace deformdiff::ms_deform_attn
