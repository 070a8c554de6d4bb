// A deep block's attributes, from a configuration.
#pragma once

#include "blocks/layouts/names.h"
#include "core/strict_json.h"

namespace deformdiff {

/// The attributes that a configuration speaks of: an object with the keys that recorded files have
/// (num_heads, num_encoder_layers, norm, ...), or Hugging Face's own configuration of Mask2Former
/// (num_attention_heads, encoder_layers, ...). Throws InputError naming the key for a value that the block
/// does not implement (another activation, align_corners, ...), and for keys that we do not know in one of
/// the first kind.
Attributes attributes_from_config(Layout layout, const BlockDefinition& block, const Json& config);

/// Extents that a configuration says and no attribute of every block holds: L by "num_levels", R (coordinates
/// of a reference) by "reference". Throws InputError for a value that is neither points nor boxes, or no
/// number.
Extents extents_from_config(const BlockDefinition& block, const Json& config);

}  // namespace deformdiff
