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

/// Runs the batch on every subject of the group that is not stopped, counts the verdicts, and investigates
/// what is new. Where the run ends before a subject is through, only the cases up to there count. `meanwhile`
/// is called once while the workers are busy. Adds to `split`.
void run_batch(const BlockEntry& entry, const SessionOptions& options,
               const std::vector<SubjectState*>& group, const Batch& batch, Investigator& investigator,
               TimeSplit& split, const std::function<void()>& meanwhile);

}  // namespace deformdiff
