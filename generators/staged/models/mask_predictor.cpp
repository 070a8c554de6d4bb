#include "generators/staged/models/mask_predictor.h"

#include "blocks/mask2former/mask_predictor.h"
#include "generators/staged/generator.h"

namespace deformdiff::mask_predictor {
namespace {

/// Pixels of one map, whatever the levels are.
void adapt(Sketch& sketch, Draw& draw) {
  name_map(sketch, draw);
}

}  // namespace

const Generator& generator() {
  static const StagedGenerator instance(block(), adapt);
  return instance;
}

}  // namespace deformdiff::mask_predictor
