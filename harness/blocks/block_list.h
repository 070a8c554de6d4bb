// The list of blocks.
#pragma once

#include "blocks/block_definition.h"

#include <string_view>
#include <vector>

namespace deformdiff {

/// The operator and its backward, then Mask2Former's blocks from the smallest to the whole head.
const std::vector<const BlockDefinition*>& block_definitions();

/// nullptr if there is none of that name.
const BlockDefinition* find_block_definition(std::string_view name);

}  // namespace deformdiff
