// The stream of cases of block mask2former_head.
#pragma once

#include "core/generator.h"

namespace deformdiff::mask2former_head {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::mask2former_head
