// Findings that share a cause, told by what makes them vanish.
#pragma once

#include "engine/ablate.h"
#include "engine/findings.h"
#include "engine/session_options.h"
#include "engine/subject_state.h"

#include <span>
#include <string>
#include <vector>

namespace deformdiff {

/// What a failure that depends on earlier calls vanishes with, beside its block's ablations.
inline constexpr const char* kNoEarlierCalls = "no earlier calls";

/// A finding and what ablation says of it: one effect for each of the words that name_groups() is given.
struct AblatedFinding {
  Finding* finding;
  AblatedFailure failure;
  /// The finding while shrinking which it was met, where no case of the run shows it; else null.
  const Finding* met_while = nullptr;
};

/// Of one subject's findings, which are all that nothing excuses: those that vanish with the same thing,
/// where nothing makes some vanish and others not, get one name. So do those that nothing makes vanish, alone
/// or at once. What was met while shrinking another goes with that one unless something tells them apart. A
/// finding without such company gets none. `drawn` holds the cases of the run.
void name_groups(std::span<AblatedFinding> findings, const std::vector<std::string>& words,
                 const std::vector<TriggerClass>& triggers, const DrawnCases& drawn);

/// Runs what it takes for that of a subject with several findings, in at most the time that the options give
/// a finding's shrinking and kMostAblationRuns a finding. Where the run ends before, nothing is grouped.
void group_findings(FindingBook& book, SubjectState& state, const BlockEntry& entry,
                    const SessionOptions& options, const DrawnCases& drawn);

}  // namespace deformdiff
