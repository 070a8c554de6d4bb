// What a session knows of one subject while it runs.
#pragma once

#include "engine/session_report.h"
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

  /// The worker was replaced, or its state is no longer what the calls made it.
  void forget_calls() { began_ = given_.size(); }

 private:
  std::vector<std::uint64_t> given_;
  std::size_t began_ = 0;  ///< position in given_ of the present worker's first call
  bool opening_tells_ = false;
  int hangs_ = 0;
  int lost_workers_ = 0;
};

}  // namespace deformdiff
