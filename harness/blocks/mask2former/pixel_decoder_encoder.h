// The pixel decoder's encoder: reference points, then its layers.
#pragma once

#include "blocks/levels.h"
#include "blocks/mask2former/encoder_layer.h"

#include <vector>

namespace deformdiff::pixel_decoder_encoder {

/// Parameters of the layers under `prefix` ("encoder.").
void declare_parameters(TensorList& list, const std::string& prefix, std::int64_t layers);

struct Inputs {
  Value inputs_embeds;        ///< [B, S, C]
  Value position_embeddings;  ///< [B, S, C]
  Value valid_ratios;         ///< [B, L, 2]
  Value spatial_shapes;
  Value level_start_index;
  std::optional<Value> attention_mask;
};

/// The stages of the whole encoder; the last layer's value, [B, S, C].
Value append(StageBuilder& b, const Scope& scope, const Inputs& inputs, const std::vector<LevelSize>& levels);

/// Inputs: inputs_embeds [B, S, C], position_embeddings [B, S, C], valid_ratios [B, L, 2] (width, then
/// height), spatial_shapes int64 [L, 2], level_start_index int64 [L], attention_mask bool [B, S] (may be left
/// out; true where padding). Attributes: num_encoder_layers (6), num_heads (8), num_levels (3), num_points
/// (4), eps (1e-5), im2col_step (64). Output: last_hidden_state [B, S, C]. Valid: the levels fill S, in
/// order.
const BlockDefinition& block();

}  // namespace deformdiff::pixel_decoder_encoder
