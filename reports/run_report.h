// What a command found, as data for every writer of reports.
#pragma once

#include "core/generator.h"
#include "core/module_description.h"
#include "engine/session_report.h"

#include <cstdint>
#include <optional>
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

/// A saved case that was judged again.
struct ReplayedCase {
  std::string path;
  std::string block;
  std::string subject;
  Verdict verdict = Verdict::kNotRun;
  std::string reason;   ///< of a verdict that is not agree
  std::string outcome;  ///< beside what was recorded: "reproduces", "gone"
  double seconds = 0;   ///< of the call
};

struct RunReport {
  std::string command;  ///< "fuzz", "replay", "judge", "check", "selftest"
  std::uint64_t seed = 0;
  std::string only;  ///< fuzz: conditions that every case meets; empty if there were none
  int exit_code = 0;
  bool known_fail = false;  ///< fuzz: known findings make the exit code 1 too
  SessionReport session;
  std::vector<TriggerClass> trigger_classes;  ///< fuzz: those that its tiers can reach
  std::vector<ReplayedCase> replayed;         ///< replay
  std::vector<std::string> ignored;           ///< judge: tensors of the file that nothing was made of
  std::vector<std::string> read_as_int64;     ///< its inputs of narrower integers, with their dtype
  std::vector<std::string> warnings;
  std::vector<std::string> notes;  ///< for people: what else they may want to know
  bool verbose = false;            ///< for people: of several blocks, a table of each
  bool colour = false;             ///< for people: as a terminal shows them

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

/// JUnit's XML, as CI systems read it: a test case for each block and implementation, each replayed case and
/// each stage. What was not judged is skipped, with the reason.
std::string junit_report(const RunReport& report);

/// The summary of a GitHub Actions step, in Markdown.
std::string github_report(const RunReport& report);

/// Workflow commands that make annotations, a line a finding; GitHub looks for them on standard output.
std::string github_annotations(const RunReport& report);

/// One page for people that needs nothing but itself: no script, no other file, no network. Reads the saved
/// cases of the findings, to draw them; one that cannot be read is said to be.
std::string html_report(const RunReport& report);

}  // namespace deformdiff
