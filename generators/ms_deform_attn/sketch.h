// What a case is but for its elements: dtype, extents, levels, im2col_step.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "generators/common/draw.h"
#include "generators/common/size_choice.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff::ms_deform_attn {

struct Sketch {
  DType dtype = DType::kFloat32;
  Dims dims{};
  std::vector<Level> levels;
  std::int64_t im2col_step = 64;
};

/// Names of sizes that conditions may speak of.
const std::vector<std::string>& size_names();

/// Of all that follow, the sizes that `choice` speaks of are as it says. Throws InputError where none is.

/// Scaled-down real models: 4 or 8 heads of 16, 32 or 64 channels, 3 or 4 levels, each twice the one before.
Sketch draw_typical(Draw& draw, const SizeChoice& choice);

/// Extents around every limit that a kernel may have: odd, prime, powers of two and their neighbours, more
/// than a warp, a block or a grid holds; maps of one pixel, one row or one column, transposed twins, gaps.
Sketch draw_adversarial(Draw& draw, const SizeChoice& choice);

/// An adversarial sketch whose sides are powers of two.
Sketch draw_exact(Draw& draw, const SizeChoice& choice);

/// What a count in too few bits, or the blocks and threads that one axis of a launch may have, limit.
enum class Limit : std::uint8_t { kQueries16Bits, kBatchInABlock, kBatchInAGrid, kSideSigned16Bits };
constexpr std::uint64_t kLimits = 4;

/// Beyond the limit in one extent and tiny in the others.
Sketch draw_beyond(Limit limit, Draw& draw);

/// Empty along an axis, or of one element along most.
Sketch draw_degenerate(Draw& draw, const SizeChoice& choice);

/// A few queries' more products than 2^31, made of channels and points: the tensors stay small. Throws
/// InputError where conditions leave so few channels that they do not.
Sketch draw_huge(Draw& draw, const SizeChoice& choice);

}  // namespace deformdiff::ms_deform_attn
