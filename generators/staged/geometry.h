// Elements of a deep block's inputs that are no features: sizes of maps, padding, masks, reference points.
#pragma once

#include "core/random.h"
#include "generators/staged/sketch.h"

#include <optional>

namespace deformdiff {

/// The input of this description if it is one of those, contiguous. Padding, valid ratios and reference
/// points of a sketch belong together: an image's padding is at the right and at the bottom of every level.
std::optional<Tensor> make_geometry(const TensorSpec& spec, const Shape& shape, const Sketch& sketch,
                                    const CounterRandom& of_the_case);

}  // namespace deformdiff
