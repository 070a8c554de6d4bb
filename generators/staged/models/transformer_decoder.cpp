#include "generators/staged/models/adaptations.h"

namespace deformdiff {

/// Sine embeddings take channels by fours. Projections where the maps' channels differ, and now and then
/// where they do not.
void adapt_transformer_decoder(Sketch& sketch, Draw& draw) {
  name_maps(sketch, draw);
  fit_width(sketch, "D", 48, draw);
  const bool projected = draw.chance(30);
  if (!projected || draw.chance(20)) sketch.at("C") = sketch.at("M") * sketch.at("D");
  if (projected) give_input_projections(sketch);
  draw_position_attributes(sketch, draw);
}

}  // namespace deformdiff
