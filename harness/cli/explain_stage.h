// The stage that decided, taken apart: its element, the bound's terms, and whether float64 shows the same.
#pragma once

#include "engine/stage_judge.h"
#include "engine/subject.h"

#include <string>

namespace deformdiff::cli {

/// A case that was run, and what came of it. Refers to all of them.
struct ExplainedRun {
  Subject& subject;
  const BlockEntry& entry;
  const Case& problem;
  const Outcome& outcome;
  int threads;
};

/// Empty where no element of a stage decided. Of a failure it runs the case in float64 too, where the subject
/// can.
std::string explain_stage(const ExplainedRun& run, const Comparison& decided);

}  // namespace deformdiff::cli
