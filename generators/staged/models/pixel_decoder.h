// The stream of cases of block pixel_decoder.
#pragma once

#include "core/generator.h"

namespace deformdiff::pixel_decoder {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::pixel_decoder
