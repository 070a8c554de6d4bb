// What a session knows of one subject while it runs.
#pragma once

#include "engine/journal/records.h"
#include "engine/subject.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace deformdiff {

/// Hangs, and workers lost in any way, after which a subject gets no further cases: a hang costs the whole
/// case timeout, a new worker some tenths of a second.
constexpr int kMostHangs = 10;
constexpr int kMostLostWorkers = 200;

/// Calls after which a worker is replaced: some faults show in a worker's first call alone.
constexpr std::size_t kMostCalls = 400;

/// The open subject, its counts, and the calls that its present worker was given.
class SubjectState {
 public:
  /// `block` is the name of the session's block.
  SubjectState(Subject opened, const std::string& block);

  Subject subject;
  SubjectReport report;
  CaseRanges done;       ///< cases that are counted in `report`
  CountedCases latest;   ///< those of the latest batch alone
  bool stopped = false;  ///< gets no further cases, and none is counted

  /// Why the case is not given to the subject, or kReturned if it is.
  Outcome admit_case(const Block& block, const Case& c, std::int64_t memory_limit) const;

  /// Notes that case `index` was given and how it ended: keeps the list of calls of the present worker.
  void note_call(std::uint64_t index, const Outcome& outcome);

  /// Indices of the cases that the present worker was given.
  std::span<const std::uint64_t> calls_of_worker() const;

  /// Notes whether the present worker's first call can show a fault.
  void note_opening(bool telling) { opening_tells_ = telling; }

  /// Whether the present worker has had many calls, or its first could show nothing.
  bool wants_fresh_worker() const;

  /// Goes on from what an earlier sitting of the run wrote down.
  void take_up(const SubjectRecord& earlier, const std::vector<CountedCases>& counted);

  /// What is to be written down.
  SubjectRecord record() const;

  /// Workers that were started for the subject in this run.
  std::int64_t workers() const { return workers_before_ + subject.runner->workers_started(); }

  /// Forgets the latest batch; a new one begins.
  void begin_batch() { latest = {}; }

  /// A case is done, whose counts are in `latest.counts` already.
  void note_done(std::uint64_t index) { latest.cases.add(index, index + 1); }

  /// Adds the latest batch to the whole.
  void end_batch();

  /// The worker was replaced, or its state is no longer what the calls made it.
  void forget_calls() { began_ = given_.size(); }

 private:
  std::vector<std::uint64_t> given_;
  std::size_t began_ = 0;  ///< position in given_ of the present worker's first call
  bool opening_tells_ = false;
  std::int64_t workers_before_ = 0;  ///< started by earlier sittings
  int hangs_ = 0;
  int lost_workers_ = 0;
};

}  // namespace deformdiff
