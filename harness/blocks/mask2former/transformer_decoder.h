// Mask2Former's transformer decoder: queries attend to one level after another, inside the masks that they
// predicted. Source: Cheng et al., Masked-attention Mask Transformer, 2022, section 3.2.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/stage_builder.h"
#include "blocks/tensor_list.h"

#include <string>
#include <vector>

namespace deformdiff::transformer_decoder {

/// How extents are called where the decoder stands.
struct Widths {
  std::string channels;  ///< of the queries: "M*D"
  std::string hidden;    ///< of the feed-forward part: "F"
  std::string features;  ///< of the maps: "C"
};

/// Parameters under Hugging Face's names, model.transformer_module. and class_predictor.
void declare_parameters(TensorList& list, const Widths& widths, std::int64_t levels, std::int64_t layers);

/// Attributes of the decoder, position_embedding's among them.
Attributes default_attributes();

/// Why a decoder of `channels` on maps of `features` channels does not do; empty if it does.
std::string why_not(const Case& c, std::int64_t channels, std::int64_t features);

struct Result {
  Value class_logits;  ///< of the last prediction, [B, Q, classes]
  Value mask_logits;   ///< [B, Q, H, W]
};

/// The stages of the whole decoder on maps from low to high resolution, [B, C, Hl, Wl], and mask features [B,
/// E, H, W].
Result append(StageBuilder& b, const std::vector<Value>& multi_scale_features, const Value& mask_features);

/// Inputs: multi_scale_features.0 to .LEVELS-1 [B, C, Hl, Wl], from low to high resolution, mask_features [B,
/// E, H, W]. Attributes: num_levels (3), num_decoder_layers (9), num_heads (8), eps (1e-5), pre_norm (0),
/// gelu (0), mask_threshold (0.5), position_temperature (10000), position_scale (2 pi), position_eps (1e-6),
/// position_normalize (1), position_offset (0). Outputs: class_queries_logits [B, Q, classes],
/// masks_queries_logits [B, Q, H, W]. The input projections may be left out where maps and queries have the
/// same channels.
const BlockDefinition& block();

}  // namespace deformdiff::transformer_decoder
