// What is particular to the sketches of single deep blocks.
#pragma once

#include "generators/staged/sketch.h"

#include <string>

namespace deformdiff {

/// How a sketch is adapted to the deep block of this name; nothing changes for one that asks for nothing in
/// particular.
Adapt adaptation_of(const std::string& block);

void adapt_attention_layer(Sketch& sketch, Draw& draw);
void adapt_mask2former_head(Sketch& sketch, Draw& draw);
void adapt_mask_predictor(Sketch& sketch, Draw& draw);
void adapt_pixel_decoder(Sketch& sketch, Draw& draw);
void adapt_position_embedding(Sketch& sketch, Draw& draw);
void adapt_transformer_decoder(Sketch& sketch, Draw& draw);

}  // namespace deformdiff
