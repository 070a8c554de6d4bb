// Elements of a deep block's floating tensors: parameters and features.
#pragma once

#include "core/random.h"
#include "generators/staged/sketch.h"

namespace deformdiff {

/// The parameter or feature of this description, contiguous. Parameters are not those of a fresh
/// initialisation, which would put every sample on a pixel's centre: weights are N(0, 1.2 / sqrt(fan in)),
/// norm weights 1 + 0.2 n, biases 0.2 n, biases of sampling offsets 1.5 n pixels, embeddings N(0, 1),
/// features N(0, 1); with the sketch's twists.
Tensor make_floating(const TensorSpec& spec, const Shape& shape, const Sketch& sketch,
                     const CounterRandom& random);

}  // namespace deformdiff
