// What the canaries of a run say of the run: its power to find, and how often it can be wrong.
#pragma once

#include "engine/session_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

/// Faults that must get one verdict.
struct DetectionPower {
  std::string expected;
  std::int64_t found = 0;
  std::int64_t survived = 0;
  std::int64_t open = 0;  ///< not found, and not given enough cases that could show them
};

/// In alphabetical order of the verdicts.
std::vector<DetectionPower> detection_power(const std::vector<Canary>& canaries);

/// Judged cases of right code: of canaries that are right, and of implementations that agree in every judged
/// case.
struct FalseAlarms {
  std::int64_t cases = 0;
  std::int64_t alarms = 0;
  double limit = 1;  ///< of the rate, at 95 % confidence
};

FalseAlarms false_alarms(const SessionReport& session);

/// The largest rate at which so few events in so many independent cases are not rarer than 1 in 20: the
/// one-sided limit of Clopper and Pearson, 1 - 0.05^(1/cases) for no event; 1 without cases.
double upper_limit(std::int64_t events, std::int64_t cases);

/// Why the run says less than it seems to: canaries that survived, and right code that was blamed; a sentence
/// each, without its full stop.
std::vector<std::string> canary_failures(const std::vector<Canary>& canaries);

/// A table for people, at most 80 columns wide; empty where the run had no canaries.
std::string canaries_text(const SessionReport& session);

}  // namespace deformdiff
