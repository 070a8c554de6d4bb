// The list of blocks: a new one is its pairs of files and one line here.
#pragma once

#include "engine/block_entry.h"

#include <span>
#include <string>
#include <vector>

namespace deformdiff {

const std::vector<BlockEntry>& blocks();

/// Throws InputError listing the blocks there are, or saying that this one is not available yet.
const BlockEntry& find_block(const std::string& name);

/// Names of the stages of a block, in order, layers and calls as "*": "layers.*.fc1". More than one of a deep
/// block; the operator's only one is its output.
std::vector<std::string> stage_families(const BlockEntry& entry);

}  // namespace deformdiff
