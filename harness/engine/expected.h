// What a stage or an output may be, for those who show a failure to others.
#pragma once

#include "core/outcome.h"
#include "core/subject_info.h"
#include "engine/block_entry.h"
#include "engine/stage_values.h"

#include <vector>

namespace deformdiff {

struct ExpectedStage {
  StageReference reference;
  Case operands;  ///< of the stage's operation: what the outcome showed, and else the middle of its set
};

/// Of a stage, on what the outcome shows of the values before it: with `untapped` its outputs alone. Requires
/// that it returned.
ExpectedStage expected_of_stage(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                                const SubjectInfo& info, const Stage& stage, bool untapped, int threads);

/// Of each output, in the block's order, from the case's inputs alone: of a block of several stages they are
/// estimated.
std::vector<StageReference> expected_outputs(const BlockEntry& entry, const Case& c, const SubjectInfo& info,
                                             int threads);

}  // namespace deformdiff
