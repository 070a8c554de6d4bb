// The steps that shrinking a case of a deep block is a list of, beside those of generators/shrink.
#pragma once

#include "generators/shrink/axis_steps.h"
#include "generators/shrink/element_steps.h"

#include <vector>

namespace deformdiff {

/// Stacks of layers first, of which none may be left; then extents, levels and maps from the largest on.
ShrinkAxes axes_by_size(const Draft& draft);

/// single_everything() of the axes, first with a single pixel a level of spatial_shapes.
Step single_everything_step(const Draft& draft, const ShrinkAxes& axes);

/// All optional inputs left out, then one by one; attributes to the block's defaults.
void add_plainness_steps(const Draft& draft, Steps& steps);

/// The range of the tensors from the first half of their list, the second, the first quarter, ... each
/// tensor.
std::vector<ElementRange> halved_tensor_lists(const Draft& draft);

/// Each of those ranges set to zeros, ones, identities (with_identities()), small numbers.
void add_constant_steps(const Draft& draft, Steps& steps);

}  // namespace deformdiff
