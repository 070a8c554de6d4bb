// Rows of attention masks that are blocked throughout, which a decoder frees.
#pragma once

#include "check/cause.h"

namespace deformdiff {

/// Whether the block frees such rows.
bool unblocks_rows(const BlockDefinition& block, const Case& c);

/// Whether the replay showed such a row before it was freed.
bool blocks_a_row(const BlockDefinition& block, const Replay& replay);

}  // namespace deformdiff
