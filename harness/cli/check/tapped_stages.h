// The values inside an exported module as the stages that they are.
#pragma once

#include "blocks/layout.h"
#include "engine/stage_judge.h"

#include <string>
#include <vector>

namespace deformdiff::cli {

/// Finds stages among what a tapped run of a module shows (WIRE.md, `describe`): by the paths of submodules, whose
/// results and arguments are stages; and, for stages between submodules, by value: what lies in the admissible set
/// of a stage whose inputs are known is taken for that stage. A stage that computes something else is then not
/// found, and shows where its value is used. `prefix` stands before the framework's names in the module.
std::vector<NamedTensor> find_stages(const BlockEntry& entry, const StagedBlock& block, const Case& c,
                                     const std::vector<NamedTensor>& taps, const LayoutNames& names,
                                     const std::string& prefix, const SubjectInfo& info, int threads);

}  // namespace deformdiff::cli
