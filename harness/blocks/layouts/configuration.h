// A deep block's attributes, from a configuration and from the shapes of its parameters.
#pragma once

#include "blocks/layouts/layout.h"
#include "core/strict_json.h"

#include <map>
#include <string>
#include <vector>

namespace deformdiff {

/// The attributes that a configuration speaks of: an object with the keys that recorded files have
/// (num_heads, num_encoder_layers, norm, ...), or Hugging Face's own configuration of Mask2Former
/// (num_attention_heads, encoder_layers, ...). Throws InputError naming the key for a value that the block
/// does not implement (another activation, align_corners, ...), and for keys that we do not know in one of
/// the first kind.
Attributes attributes_from_config(Layout layout, const BlockDefinition& block, const Json& config);

struct Inference {
  Attributes attributes;  ///< all of the block's: known, inferred, or the models' defaults
  std::vector<std::string>
      unknown;  ///< those that should be asked for: defaults stand in for what cannot be told
};

/// What shapes tell of attributes: of tensors under our names, parameters with "param.".
Inference infer_attributes(Layout layout, const BlockDefinition& block,
                           const std::map<std::string, Shape>& shapes, const Attributes& known);

}  // namespace deformdiff
