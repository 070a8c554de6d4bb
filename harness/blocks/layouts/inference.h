// What follows from the rest of a recorded file or an exported module, and so is not asked for.
#pragma once

#include "blocks/layouts/names.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

struct Inference {
  Attributes attributes;  ///< all of the block's: known, inferred, or the models' defaults
  /// Those that should be asked for: defaults stand in for what cannot be told.
  std::vector<std::string> unknown;
};

/// What shapes tell of attributes: of tensors under our names, parameters with "param.".
Inference infer_attributes(Layout layout, const BlockDefinition& block,
                           const std::map<std::string, Shape>& shapes, const Attributes& known);

/// Adds inputs that follow from others: level_start_index from spatial_shapes, encoder_hidden_states =
/// hidden_states in deformable attention, valid_ratios of 1.
void derive_inputs(const BlockDefinition& block, std::vector<NamedTensor>& inputs);

/// Whether derive_inputs() adds the input where those named are there.
bool is_derived(const BlockDefinition& block, const std::set<std::string>& inputs, std::string_view name);

}  // namespace deformdiff
