// The journal of a run while it goes on.
#pragma once

#include "engine/journal/journal.h"
#include "engine/stopwatch.h"

#include <string>

namespace deformdiff {

class RunJournal {
 public:
  /// Begins a run in a folder; `run` says what it is, without its id, host and start. Throws as
  /// Journal::create().
  static RunJournal begin(const std::filesystem::path& folder, RunRecord run);

  /// Goes on with the run of the folder's journal. Throws InputError where the folder holds no run, or
  /// several that were merged, or where `run` has another seed, other tiers, conditions or another shard.
  static RunJournal resume(const std::filesystem::path& folder, RunRecord run);

  Journal& journal() { return journal_; }
  const RunRecord& run() const { return run_; }

  /// What the run's earlier sittings know of the block; nullptr where they did not come to it.
  const BlockOfRun* earlier(const std::string& block) const;

  /// Seconds that all sittings took.
  double seconds() const { return seconds_before_ + watch_.seconds(); }

  /// Writes how far the run is.
  void note_time();

  /// What workers say of where they run; written with the next time.
  void note_environment(const std::map<std::string, std::string>& environment) {
    run_.environment.insert(environment.begin(), environment.end());
  }

  /// Writes that the run is at its end.
  void finish();

 private:
  RunJournal(Journal journal, RunRecord run) : journal_(std::move(journal)), run_(std::move(run)) {}

  Journal journal_;
  RunRecord run_;
  std::vector<std::pair<std::string, BlockOfRun>> earlier_;
  double seconds_before_ = 0;
  Stopwatch watch_;
};

}  // namespace deformdiff
