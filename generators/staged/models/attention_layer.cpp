#include "generators/staged/models/attention_layer.h"

#include "blocks/mask2former/attention_layer.h"
#include "generators/staged/generator.h"

namespace deformdiff::attention_layer {
namespace {

/// Queries of their own, as a decoder has them, or one a pixel; points or boxes.
void adapt(Sketch& sketch, Draw& draw) {
  sketch.extents["R"] = draw.chance(25) ? 4 : 2;
  if (draw.chance(25)) sketch.at("Q") = total_pixels(sketch.levels);
}

}  // namespace

const Generator& generator() {
  static const StagedGenerator instance(block(), adapt);
  return instance;
}

}  // namespace deformdiff::attention_layer
