// The admissible sets of a float32 module that is raised to float64: its constants stay as they were rounded.
#pragma once

#include "engine/block_entry.h"

namespace deformdiff {

/// The same block, but an epsilon, factor, threshold or table in it may have been rounded to float32 before
/// it was used. Parameters are what they are, and have no such room.
BlockEntry with_rounded_constants(BlockEntry entry);

}  // namespace deformdiff
