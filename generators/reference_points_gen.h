// The stream of cases of block reference_points.
#pragma once

#include "core/generator.h"

namespace deformdiff::reference_points {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::reference_points
