// What a command found, as data for every writer of reports.
#pragma once

#include "core/module_description.h"
#include "engine/session_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

/// A row of the table of `check`, and of `judge` for deep blocks.
struct Scenario {
  std::string name;   ///< of the replay or the recorded run
  std::string stage;  ///< in the layout's own words; "outputs" where the run is judged as a whole
  Verdict verdict = Verdict::kNotRun;
  bool estimated = false;  ///< the admissible set was estimated, not derived
  double ratio = 0;        ///< largest error / bound
  double inherited = 0;    ///< what came in from earlier stages, beside the largest value; 0 if not measured
  std::string reason;      ///< of a verdict that is not agree
};

struct RunReport {
  std::string command;  ///< "fuzz", "replay", "judge"
  std::uint64_t seed = 0;
  std::string only;  ///< fuzz: conditions that every case meets; empty if there were none
  int exit_code = 0;
  bool known_fail = false;  ///< fuzz: known findings make the exit code 1 too
  SessionReport session;
  std::vector<std::string> ignored;        ///< judge: tensors of the file that nothing was made of
  std::vector<std::string> read_as_int64;  ///< its inputs of narrower integers, with their dtype
  std::vector<std::string> warnings;
  std::vector<std::string> notes;  ///< for people: what else they may want to know
  bool verbose = false;            ///< for people: of several blocks, a table of each

  // check, and judge of deep blocks.
  std::vector<Scenario> scenarios;
  std::string first_diverging_stage;  ///< empty if none diverges
  std::vector<AuditFinding> audit;
  std::string cause;  ///< check: from the closed list of `list rules`; empty if nothing is wrong
  std::vector<std::string> advice;  ///< check: cause and cures in plain words
};

/// For people: a line an implementation, or a matrix of implementations and blocks; then what was not judged
/// and why, and the findings with the command that replays each. Tables are at most 80 columns wide.
std::string terminal_report(const RunReport& report);

/// One object, the same for `fuzz`, `replay`, `judge` and `check`. Other people's scripts depend on it:
/// fields may be added, not renamed.
std::string json_report(const RunReport& report);

}  // namespace deformdiff
