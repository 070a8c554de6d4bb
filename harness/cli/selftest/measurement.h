// What a self-test measures of one block: its faults, its right code, its sharpness.
#pragma once

#include "cli/options.h"
#include "cli/selftest/sharpness.h"
#include "engine/block_entry.h"
#include "engine/canary.h"
#include "engine/session_report.h"
#include "engine/subject.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff::cli {

/// A fault and how it was found.
struct FaultResult {
  std::string fault_class;
  Canary first_seed;  ///< what was found of it on the first seed
  /// Case of the stream that showed it, one a seed; of faults that crash or hang the first seed alone.
  std::vector<std::optional<std::uint64_t>> cases;
  std::int64_t original_elements = 0, shrunk_elements = 0;  ///< of its first finding
};

struct BlockMeasurement {
  std::string block;
  std::vector<FaultResult> faults;
  SessionReport right;  ///< of the built-in implementations and the controls
  std::vector<Sharpness> sharpness;
  std::vector<std::string> absent;  ///< what should have been run and was not
};

/// What to measure, and on how many cases.
struct MeasurementPlan {
  std::vector<SubjectSpec> faults, right;
  std::int64_t fault_cases, right_cases, sharpness_cases;
  std::uint64_t seeds = 1;
  bool shrink = true;
};

/// Everything that there is for the block: 20 seeds of the operator, its backward, and of blocks of one stage
/// that follows from the inputs, 3 of the others. With --cases N, right code gets N cases.
MeasurementPlan plan_of(const Options& options, const BlockEntry& entry);

/// Names of what the plan has and the measurement does not.
std::vector<std::string> absent_from(const MeasurementPlan& plan, const BlockMeasurement& measurement);

BlockMeasurement measure(const Options& options, const BlockEntry& entry, const MeasurementPlan& plan);

/// Why the block's self-test has failed, a sentence each; empty if it has not: a fault without its due
/// verdict, right code that was blamed, something that was not run, an error of 1e-4 in float32 that a
/// typical case of the operator does not show.
std::vector<std::string> failures_of(const BlockEntry& entry, const BlockMeasurement& measurement);

}  // namespace deformdiff::cli
