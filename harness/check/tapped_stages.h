// The values inside an exported module as the stages that they are.
#pragma once

#include "check/checked_model.h"
#include "engine/stage_judge.h"

#include <vector>

namespace deformdiff {

/// Finds stages among what a tapped run of a module shows (WIRE.md, `describe`): by the paths of submodules,
/// whose results and arguments are stages; among the outputs, which are stages too; and, for stages between
/// submodules, by value: what lies in the admissible set of a stage is taken for that stage. Axes may lie in
/// another order than ours: where a shape leaves that open, the order is the one in which the value lies in
/// the stage's set, or from which the model computed what follows. Where a value that was found is wrong and
/// what it is computed from was not found, a value is taken for one of these, whether it lies in its set or
/// not, if the model computed what follows from it as the block does. Positions, which
/// follow from whole numbers alone, are found so even where nothing else is wrong. Otherwise a stage that
/// computes something else and that no path names is not found, and shows where it is used. `entry` is the
/// model's, or the same block with other bounds.
std::vector<NamedTensor> find_stages(const CheckedModel& model, const BlockEntry& entry, const Case& c,
                                     const Outcome& outcome, const SubjectInfo& info, int threads);

}  // namespace deformdiff
