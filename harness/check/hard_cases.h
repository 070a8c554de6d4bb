// Replays on which modules go wrong that agree on ordinary ones.
#pragma once

#include "check/replay_cases.h"
#include "engine/block_entry.h"

#include <cstdint>
#include <vector>

namespace deformdiff {

/// A case for each row of the table in hard_cases.cpp that the block and the module's inputs allow. Sizes are
/// small, whatever the example's are.
std::vector<ReplayCase> hard_cases(const BlockEntry& entry, const ReplaySource& source, std::uint64_t seed,
                                   int threads);

}  // namespace deformdiff
