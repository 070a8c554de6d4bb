#include "generators/pixel_decoder_encoder_gen.h"

#include "blocks/pixel_decoder_encoder.h"
#include "generators/staged_gen.h"

namespace deformdiff::pixel_decoder_encoder {
namespace {

/// Nothing that is not in every block.
void adapt(Sketch&, Draw&) {}

}  // namespace

const Generator& generator() {
  static const StagedGenerator instance(block(), adapt);
  return instance;
}

}  // namespace deformdiff::pixel_decoder_encoder
