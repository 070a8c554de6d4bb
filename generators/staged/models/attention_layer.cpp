#include "generators/staged/models/adaptations.h"

namespace deformdiff {

/// Queries of their own, as a decoder has them, or one a pixel; points or boxes.
void adapt_attention_layer(Sketch& sketch, Draw& draw) {
  sketch.extents["R"] = draw.chance(25) ? 4 : 2;
  if (draw.chance(25)) sketch.at("Q") = total_pixels(sketch.levels);
}

}  // namespace deformdiff
