#include "generators/encoder_layer_gen.h"

#include "blocks/encoder_layer.h"
#include "generators/staged_gen.h"

namespace deformdiff::encoder_layer {
namespace {

/// Nothing that is not in every block.
void adapt(Sketch&, Draw&) {}

}  // namespace

const Generator& generator() {
  static const StagedGenerator instance(block(), adapt);
  return instance;
}

}  // namespace deformdiff::encoder_layer
