#include "generators/staged/levels.h"
#include "generators/staged/models/adaptations.h"

namespace deformdiff {

/// Three levels, as many as the block has outputs. Sine embeddings take channels by fours.
void adapt_pixel_decoder(Sketch& sketch, Draw& draw) {
  sketch.at("L") = 3;
  sketch.attributes["num_levels"] = 3;
  if (sketch.levels.size() != 3) sketch.levels = draw_levels(sketch.tier, 3, draw);
  for (const char* channels : {"I0", "I1", "I2", "I3"})
    sketch.extents.try_emplace(channels, draw.between(1, 9));
  name_maps(sketch, draw);
  fit_width(sketch, "D", 48, draw);
  sketch.extents["G"] = draw_groups(sketch.at("M") * sketch.at("D"), draw);
  draw_position_attributes(sketch, draw);
}

}  // namespace deformdiff
