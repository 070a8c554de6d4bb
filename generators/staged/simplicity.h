// The order in which cases of deep blocks get simpler. It is well-founded: shrinking along it ends.
#pragma once

#include "blocks/block_definition.h"
#include "generators/shrink/number_rank.h"

#include <cstdint>
#include <vector>

namespace deformdiff {

/// Attributes that count something: fewer is simpler. Of any other, the block's default is simplest.
bool counts_something(const BlockDefinition& block, const std::string& attribute);

/// Compared lexicographically: sizes (extents, layers, tensors, axes, integers that are sizes), all added up;
/// attributes that are not the default; complexity of the storage layouts.
std::vector<std::int64_t> structure_rank(const BlockDefinition& block, const Case& c);

/// Whether structure_rank() is less, or is the same and of the elements of floating and bool tensors, worst
/// first, the first that differs is better.
bool is_simpler(const BlockDefinition& block, const Case& a, const Case& b);

}  // namespace deformdiff
