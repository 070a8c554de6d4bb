// What the runs of a journal come to together.
#pragma once

#include "engine/journal/journal.h"
#include "engine/session_report.h"

#include <filesystem>
#include <string>
#include <vector>

namespace deformdiff {

struct SumOfRuns {
  SessionReport session;
  /// What people should know of it: cases that several runs did and are counted once, cases that are missing,
  /// what one machine could not run and another did.
  std::vector<std::string> notes;
};

/// Each case of a block counts once for each implementation: of runs that both did it, one that judged it
/// goes before one that could not run it. The order of `runs` changes nothing but the order in which blocks
/// and implementations are listed. Saved cases are looked for in `folder`/findings. Of the cases of `part`
/// those that no run did are missing.
SumOfRuns sum_of_runs(const std::vector<JournalledRun>& runs, const std::filesystem::path& folder,
                      Shard part = {});

/// The same of one block of one run.
SessionReport report_of(const std::string& block, const BlockOfRun& of_run,
                        const std::filesystem::path& folder);

}  // namespace deformdiff
