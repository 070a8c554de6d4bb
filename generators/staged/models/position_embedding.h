// The stream of cases of block position_embedding.
#pragma once

#include "core/generator.h"

namespace deformdiff::position_embedding {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::position_embedding
