#include "generators/staged/models/models.h"

#include "blocks/mask2former/attention_layer.h"
#include "blocks/mask2former/decoder_layer.h"
#include "blocks/mask2former/encoder_layer.h"
#include "blocks/mask2former/mask2former_head.h"
#include "blocks/mask2former/mask_predictor.h"
#include "blocks/mask2former/pixel_decoder.h"
#include "blocks/mask2former/pixel_decoder_encoder.h"
#include "blocks/mask2former/position_embedding.h"
#include "blocks/mask2former/reference_points.h"
#include "blocks/mask2former/transformer_decoder.h"
#include "generators/staged/models/attention_layer.h"
#include "generators/staged/models/mask2former_head.h"
#include "generators/staged/models/mask_predictor.h"
#include "generators/staged/models/pixel_decoder.h"
#include "generators/staged/models/position_embedding.h"
#include "generators/staged/generator.h"
#include "generators/staged/models/transformer_decoder.h"

namespace deformdiff {
namespace {

/// Of a block that asks for nothing in particular.
template <const BlockDefinition& block()>
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
