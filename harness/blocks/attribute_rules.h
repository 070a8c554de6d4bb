// Which values the attributes of deep blocks may have.
#pragma once

#include "core/block.h"

namespace deformdiff {

/// Throws InputError for an attribute that is missing, unknown to the block, or out of its range.
void check_attributes(const Block& block, const Attributes& attributes);

}  // namespace deformdiff
