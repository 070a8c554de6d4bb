// Other cases near a case: a number, a size or a place in storage changed.
#pragma once

#include "blocks/block_definition.h"

#include <cstdint>
#include <optional>

namespace deformdiff {

/// A valid case of the block that differs from `c` in one thing: a function of its arguments. With
/// `keeps_sizes` its extents are those of `c`. Nothing where what the key leads to is not valid, or has far
/// more elements.
std::optional<Case> mutated(const BlockDefinition& block, const Case& c, std::uint64_t key, bool keeps_sizes);

}  // namespace deformdiff
