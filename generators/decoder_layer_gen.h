// The stream of cases of block decoder_layer.
#pragma once

#include "core/generator.h"

namespace deformdiff::decoder_layer {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::decoder_layer
