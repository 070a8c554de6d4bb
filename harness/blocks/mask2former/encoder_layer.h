// One layer of the pixel decoder's encoder: deformable self-attention, then the feed-forward part, each with
// its residual and a norm after it.
#pragma once

#include "blocks/mask2former/attention_layer.h"

namespace deformdiff::encoder_layer {

/// Parameters of the modules under `prefix` ("layers.0."), for channels M*D and F hidden ones.
void declare_parameters(TensorList& list, const std::string& prefix);

/// What every layer of an encoder is given beside its hidden states.
struct Surroundings {
  std::optional<Value> position_embeddings;
  Value reference_points;
  Value spatial_shapes;
  Value level_start_index;
  std::optional<Value> attention_mask;
};

/// The stages of one layer; its last norm's value, [B, S, C].
Value append(StageBuilder& b, const Scope& scope, const Value& hidden_states, const Surroundings& around);

/// Inputs: hidden_states [B, S, C], position_embeddings (may be left out), reference_points [B, S, L, 2],
/// spatial_shapes int64 [L, 2], level_start_index int64 [L], attention_mask bool [B, S] (may be left out;
/// true where padding). Attributes: num_heads (8), num_levels (3), num_points (4), eps (1e-5), im2col_step
/// (64). Output: hidden_states. Valid: the levels fill S, in order.
const BlockDefinition& block();

}  // namespace deformdiff::encoder_layer
