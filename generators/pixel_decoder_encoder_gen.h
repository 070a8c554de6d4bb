// The stream of cases of block pixel_decoder_encoder.
#pragma once

#include "core/generator.h"

namespace deformdiff::pixel_decoder_encoder {

/// Tiers typical, adversarial, degenerate. Lives as long as the program.
const Generator& generator();

}  // namespace deformdiff::pixel_decoder_encoder
