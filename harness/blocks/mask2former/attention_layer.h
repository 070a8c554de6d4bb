// Multi-scale deformable attention with its projections, as Mask2Former's pixel decoder has it.
//
//   query     = hidden_states + position_embeddings
//   value     = value_proj(encoder_hidden_states), 0 at padding
//   locations = reference_points + sampling_offsets(query) / (W, H) of the level
//               of a box (cx, cy, w, h): (cx, cy) + sampling_offsets(query) / P * (w, h) / 2
//   weights   = softmax(attention_weights(query)) over levels and points
//   output    = output_proj(ms_deform_attn(value, locations, weights))
//
// Source: Zhu et al., Deformable DETR, 2021, section 4.1.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/stage_builder.h"
#include "blocks/tensor_list.h"

#include <optional>
#include <string>

namespace deformdiff::attention_layer {

/// Parameters of the modules under `prefix` ("self_attn."), for channels M*D, L levels and P points.
void declare_parameters(TensorList& list, const std::string& prefix);

/// What the layer is given; sequences are [B, length, C], or [length, B, C] unless batch_first.
struct Inputs {
  Value hidden_states;
  std::optional<Value> position_embeddings;
  Value encoder_hidden_states;
  Value reference_points;  ///< [B, Q, L, 2 or 4]
  Value spatial_shapes;
  Value level_start_index;
  std::optional<Value> attention_mask;  ///< bool [B, S], true where padding
  bool batch_first = true;
};

/// The stages of one layer; its output projection's value, [B, Q, C] always.
Value append(StageBuilder& b, const Scope& scope, const Inputs& inputs);

/// Inputs: hidden_states [B, Q, C], encoder_hidden_states [B, S, C], position_embeddings (may be left out),
/// reference_points [B, Q, L, 2 or 4], spatial_shapes int64 [L, 2], level_start_index int64 [L],
/// attention_mask bool [B, S] (may be left out; true where padding). Attributes: num_heads (8), num_levels
/// (3), num_points (4), batch_first (1; 0: sequences are [length, B, C]), residual_inside (0; 1:
/// hidden_states is added to the output, as MMCV does), im2col_step (64). Output: output, shaped as
/// hidden_states. Valid: the levels fill S, in order.
const BlockDefinition& block();

}  // namespace deformdiff::attention_layer
