// A few NaNs and infinities in an otherwise finite case.
#pragma once

#include "generators/common/draw.h"
#include "generators/ms_deform_attn/sketch.h"

namespace deformdiff::ms_deform_attn {

/// Puts one to four non-finite elements (or pairs of coordinates) into the tensors, which are contiguous:
/// locations, weights of points inside and outside the maps, values near and away from the points, and
/// values at a corner whose bilinear weight is zero.
void add_nonfinite(const Sketch& sketch, Draw& draw, Tensor& value, Tensor& locations, Tensor& weights);

}  // namespace deformdiff::ms_deform_attn
