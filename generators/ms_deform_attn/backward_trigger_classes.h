// The trigger classes that the backward has beside the operator's.
#pragma once

#include "generators/ms_deform_attn/hits.h"

namespace deformdiff::ms_deform_attn {

inline constexpr auto kBackwardTriggerClasses = std::to_array<ClassRow>(
    {{"grad_not_contiguous", "grad_output is not contiguous"},
     {"grad_expanded", "grad_output with an axis of stride 0"},
     {"grad_one_element", "grad_output in storage of one element, as autograd passes a sum's"},
     {"grad_zero", "a zero in grad_output"},
     {"grad_all_zero", "grad_output is all zeros"},
     {"grad_one_hot", "one element of grad_output, and no other, is not zero"},
     {"grad_constant", "all elements of grad_output are the same number"},
     {"grad_wide", "magnitudes in grad_output are further apart than 2^20"},
     {"grad_beyond_float16", "a number in grad_output beyond 65504"},
     {"nan_grad", "a NaN in grad_output"},
     {"inf_grad", "an infinity in grad_output"},
     {"pixel_of_1024_points", "a pixel that more than 1024 points of one head reach"},
     {"row_of_no_point", "a row of value that no point of one head reaches"},
     {"end_of_support", "a location of -0.5/side or (side+0.5)/side"},
     {"channels_serial_block_size", "D is a power of two up to 32"},
     {"channels_tree_block_size", "D is 64, 128, 256 or 512"},
     {"channels_serial", "D is below 64 and no power of two"},
     {"channels_tree", "D is from 65 to 511 and no power of two"},
     {"channels_many_blocks", "D is a multiple of 512 above it"},
     {"channels_global", "D is above 512 and no multiple of it"}});

}  // namespace deformdiff::ms_deform_attn
