// The stream of cases of block mask_predictor.
#pragma once

#include "core/generator.h"

namespace deformdiff::mask_predictor {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::mask_predictor
