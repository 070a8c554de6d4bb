#include "blocks/block_list.h"

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
#include "blocks/ms_deform_attn.h"

namespace deformdiff {

const std::vector<const BlockDefinition*>& block_definitions() {
  static const std::vector<const BlockDefinition*> blocks{
      &ms_deform_attn::block(),        &ms_deform_attn::backward_block(), &position_embedding::block(),
      &reference_points::block(),      &attention_layer::block(),         &encoder_layer::block(),
      &pixel_decoder_encoder::block(), &pixel_decoder::block(),           &decoder_layer::block(),
      &mask_predictor::block(),        &transformer_decoder::block(),     &mask2former_head::block()};
  return blocks;
}

const BlockDefinition* find_block_definition(std::string_view name) {
  for (const BlockDefinition* block : block_definitions()) {
    if (block->name() == name) return block;
  }
  return nullptr;
}

}  // namespace deformdiff
