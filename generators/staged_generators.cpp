#include "generators/staged_generators.h"

#include "blocks/attention_layer.h"
#include "blocks/decoder_layer.h"
#include "blocks/encoder_layer.h"
#include "blocks/mask2former_head.h"
#include "blocks/mask_predictor.h"
#include "blocks/pixel_decoder.h"
#include "blocks/pixel_decoder_encoder.h"
#include "blocks/position_embedding.h"
#include "blocks/reference_points.h"
#include "blocks/transformer_decoder.h"
#include "generators/attention_layer_gen.h"
#include "generators/mask2former_head_gen.h"
#include "generators/mask_predictor_gen.h"
#include "generators/pixel_decoder_gen.h"
#include "generators/position_embedding_gen.h"
#include "generators/staged_gen.h"
#include "generators/transformer_decoder_gen.h"

namespace deformdiff {
namespace {

/// Of a block that asks for nothing in particular.
template <const StagedBlock& block()>
const Generator& plain_generator() {
  static const StagedGenerator instance(block());
  return instance;
}

}  // namespace

const std::vector<StagedEntry>& staged_generators() {
  static const std::vector<StagedEntry> entries{
      {&position_embedding::block(), &position_embedding::generator()},
      {&reference_points::block(), &plain_generator<reference_points::block>()},
      {&attention_layer::block(), &attention_layer::generator()},
      {&encoder_layer::block(), &plain_generator<encoder_layer::block>()},
      {&pixel_decoder_encoder::block(), &plain_generator<pixel_decoder_encoder::block>()},
      {&pixel_decoder::block(), &pixel_decoder::generator()},
      {&decoder_layer::block(), &plain_generator<decoder_layer::block>()},
      {&mask_predictor::block(), &mask_predictor::generator()},
      {&transformer_decoder::block(), &transformer_decoder::generator()},
      {&mask2former_head::block(), &mask2former_head::generator()}};
  return entries;
}

}  // namespace deformdiff
