// The canaries of a session: run between its batches, each in turn.
#pragma once

#include "engine/batch.h"
#include "engine/block_entry.h"
#include "engine/canary.h"
#include "engine/session_options.h"
#include "engine/subject_state.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace deformdiff {

/// Part of a session's time that its canaries get.
constexpr double kCanaryShare = 0.05;

/// Each gets the cases of the session's own stream, from the first on, so that what finds it is what the
/// session draws; a fault until it is found or has survived, right code as long as the session lasts. What a
/// canary does is counted and never a finding.
class Canaries {
 public:
  /// Those of `options.canaries`. `entry` must outlive this.
  Canaries(const BlockEntry& entry, const SessionOptions& options);

  /// Goes on from what an earlier sitting of the run came to.
  void take_up(const std::vector<Canary>& earlier);

  /// Runs a batch on the canary whose turn it is, unless they have had their share of `session_seconds`.
  /// Returns it; nullptr if none was run.
  const Canary* run_if_due(double session_seconds);

  /// In the order of `options.canaries`; also those that were not yet given anything.
  const std::vector<Canary>& all() const { return canaries_; }

 private:
  /// While a canary has its worker.
  struct Turn {
    std::size_t which;
    SubjectState state;
    BatchSource source;
    std::int64_t given = 0;
  };

  bool is_due(std::size_t which, double share) const;
  void begin_turn(double share);  ///< seconds of all canaries until now
  Batch next_batch();
  void run_batch_on(Turn& turn, const Batch& batch);

  const BlockEntry& entry_;
  const SessionOptions options_;
  std::vector<Canary> canaries_;
  std::size_t next_ = 0;  ///< whose turn it is to begin
  std::optional<Turn> turn_;
  double spent_ = 0;  ///< seconds, of this sitting
};

}  // namespace deformdiff
