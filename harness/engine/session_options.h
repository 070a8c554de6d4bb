// What a fuzzing run is told.
#pragma once

#include "core/generator.h"
#include "engine/runner.h"
#include "engine/shard.h"
#include "engine/subject.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// An implementation by which a session measures itself: a fault, or right code.
struct CanarySpec {
  SubjectSpec spec;
  SubjectInfo info;         ///< as its worker lists it: what it is expected to get, and where it shows
  std::int64_t enough = 0;  ///< cases after which a fault must have been found
};

struct SessionOptions {
  std::uint64_t seed = 0;
  std::vector<std::string> tiers;            ///< empty: all, in their shares
  std::string only;                          ///< conditions that every case meets; empty: none
  std::int64_t cases = 1000;                 ///< an implementation gets cases 0 .. cases-1 ...
  Shard shard;                               ///< ... that are this shard's
  std::optional<double> time_limit_seconds;  ///< of the whole session, findings included
  bool first_finding = false;                ///< a subject that has a finding gets no further cases
  bool shrink = true;
  double shrink_budget_seconds = 60;  ///< for a finding; never more than half of the time that is left
  std::int64_t shrink_evaluations = 2000;
  RunLimits limits;               ///< their end, too, ends the session
  std::int64_t memory_limit = 0;  ///< bytes a case may need over oracle and subject; more is not run
  int threads = 2;
  double guided_share = 0;  ///< part of the time for cases beside the stream, chosen by what was seen
  std::vector<CanarySpec> canaries;  ///< that get a share of the time; empty: none
  std::filesystem::path out;         ///< findings go to out/findings
};

/// The cases that the run is over.
inline StreamChoice stream_of(const SessionOptions& options) {
  return {options.seed, options.tiers, options.only};
}

}  // namespace deformdiff
