// The list of the deep blocks' generators.
#pragma once

#include "blocks/block_definition.h"
#include "core/generator.h"

#include <vector>

namespace deformdiff {

/// A deep block and its stream of cases; its shrinks are staged_shrink_stream(*block).
struct StagedEntry {
  const BlockDefinition* block;
  const Generator* generator;
};

/// In the order of block_definitions().
const std::vector<StagedEntry>& staged_generators();

}  // namespace deformdiff
