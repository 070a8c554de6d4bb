#include "blocks/staged_blocks.h"

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

namespace deformdiff {

const std::vector<const StagedBlock*>& staged_blocks() {
  static const std::vector<const StagedBlock*> blocks{
      &position_embedding::block(), &reference_points::block(),      &attention_layer::block(),
      &encoder_layer::block(),      &pixel_decoder_encoder::block(), &pixel_decoder::block(),
      &decoder_layer::block(),      &mask_predictor::block(),        &transformer_decoder::block(),
      &mask2former_head::block()};
  return blocks;
}

const StagedBlock* find_staged_block(std::string_view name) {
  for (const StagedBlock* block : staged_blocks()) {
    if (block->name() == name) return block;
  }
  return nullptr;
}

}  // namespace deformdiff
