// One layer of the transformer decoder: masked cross-attention, self-attention, then the feed-forward part.
// Source: Cheng et al., Masked-attention Mask Transformer, 2022, section 3.2.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/stage_builder.h"
#include "blocks/tensor_list.h"

#include <optional>
#include <string>

namespace deformdiff::decoder_layer {

/// Parameters of the modules under `prefix` ("layers.0."), for channels `width` ("M*D") and `hidden` ones
/// ("F").
void declare_parameters(TensorList& list, const std::string& prefix, const std::string& width,
                        const std::string& hidden);

struct Inputs {
  Value hidden_states;                  ///< [Q, B, C]
  Value query_position_embeddings;      ///< [Q, B, C]
  Value encoder_hidden_states;          ///< [K, B, C]
  Value position_embeddings;            ///< [K, B, C]
  std::optional<Value> attention_mask;  ///< bool [B*M, Q, K], true where not attended
};

struct Result {
  Value hidden_states;        ///< [Q, B, C]
  Value self_probabilities;   ///< [B*M, Q, Q]
  Value cross_probabilities;  ///< [B*M, Q, K]
};

/// The stages of one layer; attribute pre_norm says where the norms stand.
Result append(StageBuilder& b, const Scope& scope, const Inputs& inputs);

/// Inputs: hidden_states [Q, B, C], query_position_embeddings [Q, B, C], encoder_hidden_states [K, B, C],
/// position_embeddings [K, B, C], attention_mask bool [B*M, Q, K] (may be left out; true where not attended;
/// a row that is true throughout makes NaN). Attributes: num_heads (8), eps (1e-5), pre_norm (0), gelu (0:
/// ReLU in the feed-forward part). Outputs: hidden_states [Q, B, C], self_attn_weights [B, M, Q, Q],
/// cross_attn_weights [B, Q, K], the mean over heads.
const BlockDefinition& block();

}  // namespace deformdiff::decoder_layer
