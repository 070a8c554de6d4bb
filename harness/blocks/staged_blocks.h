// The list of deep blocks.
#pragma once

#include "blocks/staged_block.h"

#include <string_view>
#include <vector>

namespace deformdiff {

/// From the smallest to the whole head.
const std::vector<const StagedBlock*>& staged_blocks();

/// nullptr if there is none of that name.
const StagedBlock* find_staged_block(std::string_view name);

}  // namespace deformdiff
