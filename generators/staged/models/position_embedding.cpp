#include "generators/staged/models/adaptations.h"

namespace deformdiff {

/// Sizes are values of an input; the dtype is an attribute, as there is no floating input.
void adapt_position_embedding(Sketch& sketch, Draw& draw) {
  name_map(sketch, draw);
  std::int64_t& features = sketch.extents["F"];
  features = sketch.large ? 128 : sketch.tier == DeepTier::kDegenerate ? 2 : 2 * draw.between(1, 16);
  sketch.attributes["bits"] = 8.0 * static_cast<double>(size_of(sketch.dtype));
  draw_position_attributes(sketch, draw);
}

}  // namespace deformdiff
