// What a command found, as data for every writer of reports.
#pragma once

#include "engine/session.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

struct RunReport {
  std::string command;  ///< "fuzz", "replay", "judge"
  std::uint64_t seed = 0;
  int exit_code = 0;
  SessionReport session;
  std::vector<std::string> ignored;  ///< judge: tensors of the file that nothing was made of
  std::vector<std::string> warnings;
};

/// Adds one judged case to a subject's counts.
void count(SubjectReport& report, const Comparison& comparison);

/// 0 something agreed and nothing was found; 1 findings, or one of `required` was not run; 4 nothing was
/// judged, where a vacuous case counts as agreeing in a replay. Reasons for 1 without a finding are added to
/// the warnings.
int decide_exit_code(RunReport& report, const std::vector<std::string>& required);

/// For people: a line an implementation, then the findings with the command that replays each.
std::string terminal_report(const RunReport& report);

/// One object as DESIGN section 13 promises it.
std::string json_report(const RunReport& report);

}  // namespace deformdiff
