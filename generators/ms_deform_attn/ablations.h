// What can be taken away from a case of the operator or of its backward.
#pragma once

#include "blocks/block_definition.h"
#include "core/ablation.h"

namespace deformdiff::ms_deform_attn {

/// One batch, query, head, level, point; channels in fours; im2col_step 64; levels in order; maps that are
/// square, of sides that are powers of two, or of one pixel; points inside the map, or on pixels' centres;
/// one-hot weights; of the backward, gradients of one. `block` is one of the two.
Ablations ablations(const BlockDefinition& block);

}  // namespace deformdiff::ms_deform_attn
