// The stream of cases of block attention_layer.
#pragma once

#include "core/generator.h"

namespace deformdiff::attention_layer {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::attention_layer
