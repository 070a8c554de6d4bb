// What a session writes down in the journal of its run, and takes up from it.
#pragma once

#include "engine/batch.h"
#include "engine/block_entry.h"
#include "engine/investigate.h"
#include "engine/journal/run_journal.h"
#include "engine/session_options.h"
#include "engine/subject_state.h"

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace deformdiff {

class SessionJournal {
 public:
  /// `run` must outlive this. Throws InputError where an earlier sitting drew other cases from this block's
  /// stream.
  SessionJournal(RunJournal& run, const BlockEntry& entry, const SessionOptions& options);

  /// Whether an earlier sitting is through with all cases of these subjects.
  bool is_finished(std::span<const SubjectSpec> subjects) const;

  /// Seconds that earlier sittings took.
  double seconds_before() const { return seconds_before_; }

  /// What earlier sittings came to.
  SessionReport earlier_report() const;

  /// Gives each what earlier sittings came to.
  void take_up(std::deque<SubjectState>& states, Investigator& investigator, DrawnCases& drawn);

  /// Likewise.
  std::vector<Canary> earlier_canaries() const;

  /// What each came to, all sittings together.
  void write_canaries(std::span<const Canary> canaries);

  /// What cases beside the stream came to, all sittings together.
  GuidedStream earlier_guided() const;
  void write_guided(const GuidedStream& guided, const Investigator& investigator);

  void note_environment(const std::map<std::string, std::string>& environment) {
    run_.note_environment(environment);
  }

  /// The batch is about to be run on the subjects.
  void begin(const Batch& batch, std::span<SubjectState* const> subjects);

  /// The batch is done: what it came to, all of it or nothing. `drawn` is what was drawn since the last time.
  void finish(std::span<SubjectState* const> subjects, const DrawnCases& drawn,
              const Investigator& investigator);

  /// The session is at its end. One that is finished will not be gone on with unless it
  /// is to get more cases.
  void close(const std::deque<SubjectState>& states, const Investigator& investigator, bool finished);

 private:
  /// A subject's cases, in parts of bounded size: what is written at a time does not grow with the run.
  struct Part {
    std::size_t number = 0;
    CountedCases counted;
  };

  void note_failures(const Investigator& investigator);
  void write_findings(const Investigator& investigator);
  void write_block(const Investigator& investigator);
  void turn_full_parts();

  RunJournal& run_;
  std::string block_;
  std::filesystem::path folder_;  ///< of findings
  BlockRecord record_;
  double seconds_before_ = 0;  ///< that earlier sittings took
  Stopwatch watch_;
  bool begun_ = false;                 ///< the block and its subjects are written
  std::map<std::string, Part> parts_;  ///< by subject
  std::size_t drawn_number_ = 0;
  DrawnCases drawn_;
  std::map<std::string, std::int64_t> counted_failures_;  ///< by finding_id: what the parts hold
};

/// Of the first cases of the block's stream: where it differs, case i is another case.
std::string stream_fingerprint(const BlockEntry& entry, const StreamChoice& choice);

}  // namespace deformdiff
