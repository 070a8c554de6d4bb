#include "generators/staged/models/transformer_decoder.h"

#include "blocks/mask2former/transformer_decoder.h"
#include "generators/staged/generator.h"

namespace deformdiff::transformer_decoder {
namespace {

/// Sine embeddings take channels by fours. Projections where the maps' channels differ, and now and then
/// where they do not.
void adapt(Sketch& sketch, Draw& draw) {
  name_maps(sketch, draw);
  fit_width(sketch, "D", 48, draw);
  const bool projected = draw.chance(30);
  if (!projected || draw.chance(20)) sketch.at("C") = sketch.at("M") * sketch.at("D");
  if (projected) give_input_projections(sketch);
  draw_position_attributes(sketch, draw);
}

}  // namespace

const Generator& generator() {
  static const StagedGenerator instance(block(), adapt);
  return instance;
}

}  // namespace deformdiff::transformer_decoder
