// Rows of attention masks that are blocked throughout, which a decoder frees.
#pragma once

#include "check/cause.h"

namespace deformdiff {

/// Whether the replay showed such a row before "unblock_rows" freed it.
bool blocks_a_row(const BlockDefinition& block, const Replay& replay);

}  // namespace deformdiff
