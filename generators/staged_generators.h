// The list of the deep blocks' generators.
#pragma once

#include "blocks/staged_block.h"
#include "core/generator.h"

#include <vector>

namespace deformdiff {

/// A deep block and its stream of cases; its shrinks are staged_shrink_stream(*block).
struct StagedEntry {
  const StagedBlock* block;
  const Generator* generator;
};

/// In the order of staged_blocks().
const std::vector<StagedEntry>& staged_generators();

}  // namespace deformdiff
