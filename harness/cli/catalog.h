// The list of blocks: a new one is its pairs of files and one line here.
#pragma once

#include "engine/catalog.h"

#include <span>
#include <string>
#include <vector>

namespace deformdiff::cli {

const std::vector<BlockEntry>& blocks();

/// Throws InputError listing the blocks there are, or saying that this one is not available yet.
const BlockEntry& find_block(const std::string& name);

}  // namespace deformdiff::cli
