// The stream of cases of block encoder_layer.
#pragma once

#include "core/generator.h"

namespace deformdiff::encoder_layer {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::encoder_layer
