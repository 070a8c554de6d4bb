// The whole head of Mask2Former, from the backbone's maps to logits: pixel decoder and transformer decoder.
#pragma once

#include "blocks/block_definition.h"

namespace deformdiff::mask2former_head {

/// Inputs: features.0 to features.LEVELS, as pixel_decoder. Attributes: those of pixel_decoder and of
/// transformer_decoder. Outputs: class_queries_logits [B, Q, classes], masks_queries_logits [B, Q, H, W].
/// Extents: those of pixel_decoder; the transformer decoder's channels are M*Dd, its hidden ones Fd.
const BlockDefinition& block();

}  // namespace deformdiff::mask2former_head
