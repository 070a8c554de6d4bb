// One batch of cases on a group of subjects: run side by side, referred, compared, counted.
#pragma once

#include "engine/batch.h"
#include "engine/investigate.h"
#include "engine/session_options.h"
#include "engine/session_report.h"
#include "engine/subject_state.h"

#include <functional>
#include <vector>

namespace deformdiff {

/// What a subject of the batch got wrong.
struct Met {
  SubjectState* state;
  std::vector<Failure> failures;
};

/// Told of each case that counts, in the order in which they count.
using OnJudged = std::function<void(const Case& c, const Comparison& comparison)>;

/// Runs the batch on every subject of the group that is not stopped, and counts the verdicts in its `latest`
/// alone; the failures. Otherwise as run_batch().
std::vector<Met> judge_batch(const BlockEntry& entry, const SessionOptions& options,
                             const std::vector<SubjectState*>& group, const Batch& batch, TimeSplit& split,
                             const std::function<void()>& meanwhile, const OnJudged& on_judged = {});

/// Runs the batch on every subject of the group that is not stopped, counts the verdicts, and investigates
/// what is new. Where the run ends before a subject is through, only the cases up to there count. `meanwhile`
/// is called once while the workers are busy. Adds to `split`.
void run_batch(const BlockEntry& entry, const SessionOptions& options,
               const std::vector<SubjectState*>& group, const Batch& batch, Investigator& investigator,
               TimeSplit& split, const std::function<void()>& meanwhile, const OnJudged& on_judged = {});

}  // namespace deformdiff
