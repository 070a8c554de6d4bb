// Mask2Former's pixel decoder: from the backbone's maps to mask features and multi-scale features. All maps
// but the finest go through the encoder as levels, from low to high resolution; the finest joins the
// encoder's last level as in a feature pyramid. Source: Cheng et al., Masked-attention Mask Transformer,
// 2022, section 3.2.1 and appendix.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/stage_builder.h"
#include "blocks/tensor_list.h"

#include <vector>

namespace deformdiff::pixel_decoder {

/// features.0 [B, I0, H, W] to features.LEVELS, [B, I1, H2, W2] and so on; level l of the encoder, [Hl, Wl],
/// is features.(LEVELS - l).
void declare_inputs(TensorList& list, std::int64_t levels);

/// Parameters of the modules under `prefix`, for channels M*D and mask features of E.
void declare_parameters(TensorList& list, const std::string& prefix, std::int64_t levels,
                        std::int64_t layers);

/// Attributes of the pixel decoder, position_embedding's among them.
Attributes default_attributes();

/// Why these extents do not do ("32 channels do not divide into 5 groups"); adds S and Q. Empty if they do.
std::string complete(const Case& c, Extents& extents);

struct Result {
  Value mask_features;                      ///< [B, E, H, W]
  std::vector<Value> multi_scale_features;  ///< [B, C, Hl, Wl], from low to high resolution
};

/// The stages of the whole pixel decoder on the inputs features.i.
Result append(StageBuilder& b, const Scope& scope);

/// Inputs: features.0 to features.LEVELS, from high to low resolution (res2 to res5). Attributes: num_levels
/// (3), num_encoder_layers (6), num_heads (8), num_points (4), eps (1e-5), group_norm_groups (32),
/// im2col_step (64), position_temperature (10000), position_scale (2 pi), position_eps (1e-6),
/// position_normalize (1), position_offset (0). Outputs: mask_features [B, E, H, W], multi_scale_features.l
/// [B, C, Hl, Wl] from low to high resolution.
const BlockDefinition& block();

}  // namespace deformdiff::pixel_decoder
