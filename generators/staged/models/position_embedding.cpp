#include "generators/staged/models/position_embedding.h"

#include "blocks/mask2former/position_embedding.h"
#include "generators/staged/generator.h"

namespace deformdiff::position_embedding {
namespace {

/// Sizes are values of an input; float64 is an attribute, as there is no floating input.
void adapt(Sketch& sketch, Draw& draw) {
  name_map(sketch, draw);
  std::int64_t& features = sketch.extents["F"];
  features = sketch.large ? 128 : sketch.tier == StagedTier::kDegenerate ? 2 : 2 * draw.between(1, 16);
  sketch.attributes["bits"] = sketch.dtype == DType::kFloat64 ? 64 : 32;
  draw_position_attributes(sketch, draw);
}

}  // namespace

const Generator& generator() {
  static const StagedGenerator instance(block(), adapt);
  return instance;
}

}  // namespace deformdiff::position_embedding
