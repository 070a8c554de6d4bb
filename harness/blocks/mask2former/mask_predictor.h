// The prediction heads: a norm, class logits, mask logits, and the mask that the next layer's attention is
// given. Source: Cheng et al., Masked-attention Mask Transformer, 2022, section 3.2.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/stage_builder.h"
#include "blocks/tensor_list.h"

#include <string>

namespace deformdiff::mask_predictor {

/// What the modules are called: as they lie apart in a head.
struct Modules {
  std::string layernorm = "layernorm";
  std::string class_predictor = "class_predictor";
  std::string mask_predictor = "mask_predictor";
};

/// For channels `width` ("M*D"), mask features of E, and logits of `classes`, no-object among them.
void declare_parameters(TensorList& list, const Modules& modules, const std::string& width);

struct Inputs {
  Value hidden_states;     ///< [Q, B, C]
  Value pixel_embeddings;  ///< [B, E, H, W]
  std::int64_t target_height, target_width;
};

struct Result {
  Value normalized;      ///< [Q, B, C]
  Value class_logits;    ///< [B, Q, classes]
  Value mask_logits;     ///< [B, Q, H, W]
  Value attention_mask;  ///< bool [B*M, Q, target pixels], true where not attended
};

/// The stages of one prediction; their names end in `call` ("#0").
Result append(StageBuilder& b, const Modules& modules, const std::string& call, const Inputs& inputs);

/// Inputs: hidden_states [Q, B, C], pixel_embeddings [B, E, H, W], target_size int64 [2] (height, width).
/// Attributes: num_heads (8), eps (1e-5), mask_threshold (0.5). Outputs: normalized [Q, B, C], class_logits
/// [B, Q, classes], mask_logits [B, Q, H, W], attention_mask bool [B*M, Q, height*width], true where
/// sigmoid(resized logit) is below the threshold.
const BlockDefinition& block();

}  // namespace deformdiff::mask_predictor
