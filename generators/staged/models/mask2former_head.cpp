#include "generators/staged/models/adaptations.h"

namespace deformdiff {

/// Sine embeddings take channels by fours, in both decoders. Projections where their widths differ, and now
/// and then where they do not.
void adapt_mask2former_head(Sketch& sketch, Draw& draw) {
  name_maps(sketch, draw);
  fit_width(sketch, "D", 32, draw);
  sketch.extents["G"] = draw_groups(sketch.at("M") * sketch.at("D"), draw);
  const bool projected = draw.chance(30);
  std::int64_t& width = sketch.at("Dd");
  fit_width(sketch, "Dd", 32, draw);
  if (!projected || draw.chance(20)) width = sketch.at("D");
  if (projected) give_input_projections(sketch);
  draw_position_attributes(sketch, draw);
}

}  // namespace deformdiff
