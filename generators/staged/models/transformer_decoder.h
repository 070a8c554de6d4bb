// The stream of cases of block transformer_decoder.
#pragma once

#include "core/generator.h"

namespace deformdiff::transformer_decoder {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::transformer_decoder
