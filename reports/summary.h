// What a run comes to, in words that every report for people uses.
#pragma once

#include "reports/run_report.h"

#include <string>
#include <vector>

namespace deformdiff {

/// "2 failures found in 5 of 100 judged runs; 3 not judged."
std::string final_sentence(const RunReport& report);

/// The counts of all subjects.
Tally tally_of(const SessionReport& session);

/// The command that shows the finding again; empty if it was not saved.
std::string replay_command(const Finding& finding);

/// Names of these subjects, in their order, each once.
std::vector<std::string> names_of(const std::vector<SubjectReport>& subjects);

/// A reason why cases were not judged.
struct Reason {
  std::string text;  ///< "vacuous: the output is empty"
  std::int64_t cases = 0;
  std::vector<std::string> subjects;  ///< each once
};

/// Each reason once, the most frequent first.
std::vector<Reason> reasons_of(const std::vector<SubjectReport>& subjects);

/// Trigger classes that the run could reach and did not.
std::vector<TriggerClass> never_reached(const RunReport& report);

/// What a finding is beside the cases that are kept, with the case's path; empty of a new one.
std::string status_text(const Finding& finding);

}  // namespace deformdiff
