// The steps that shrinking a case of the operator or of its backward is a list of, beside those of
// generators/shrink.
#pragma once

#include "generators/shrink/axis_steps.h"
#include "generators/shrink/element_steps.h"

#include <vector>

namespace deformdiff::ms_deform_attn {

/// Batch, queries, heads, points, channels and levels, from the largest on.
ShrinkAxes axes_by_size(const Draft& draft);

/// Batch and im2col_step together, where neither alone may change: a batch of 2 in steps of 1, of 3 in steps
/// of 2.
Step small_batch_with_step();

/// im2col_step one of `steps`: 64 or less than it is.
Step simpler_im2col_step(const std::vector<std::int64_t>& steps);

/// Each level down to the part that points read.
Step crop_to_touched();

/// The levels in their order and no rows between them; then in the order that they are in.
Step tidy_levels();

/// Crops with the points on their pixels, then in place.
void add_level_crops(const Draft& draft, Steps& steps);

/// Of a problem and its transposition, one is the normal form.
Step transposition();

/// A floating input, and what its elements may become.
struct FloatingInput {
  Shape shape;
  ElementRange range;
  std::vector<Simplify> constants;  ///< zero, one; of locations the first pixel's centre
  std::vector<Simplify> roundings;  ///< that keep some of a number, or of a pixel coordinate
};

/// value, attn_weight, grad_output where there is one, sampling_loc.
std::vector<FloatingInput> floating_inputs(const Draft& draft);

/// Small numbers for value: one a row, then one an element.
Step small_values(const Draft& draft);

/// One index of an axis of one input at a time, set to a constant.
void add_slices(const std::vector<FloatingInput>& inputs, Steps& steps);

}  // namespace deformdiff::ms_deform_attn
