// What the engine is told of each block of blocks/block_list.h: its oracles, its stream of cases, its
// shrinks.
#pragma once

#include "engine/block_entry.h"

#include <cstddef>
#include <string>
#include <vector>

namespace deformdiff {

const std::vector<BlockEntry>& blocks();

/// Throws InputError listing the blocks there are, or saying that this one is not available yet.
const BlockEntry& find_block(const std::string& name);

/// Names of the stages of a block, in order, layers and calls as "*": "layers.*.fc1".
std::vector<std::string> stage_families(const BlockEntry& entry);

/// Stages of a typical case.
std::size_t stage_count(const BlockEntry& entry);

/// Whether it is a deep block: one of stages that feed one another. Those of the operator and its backward
/// are their outputs.
bool is_deep(const BlockEntry& entry);

}  // namespace deformdiff
