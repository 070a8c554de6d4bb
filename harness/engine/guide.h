// Which cases to run beside a run's stream: those that hit trigger classes together that were seldom hit
// together, and neighbours of those that came nearest to their bound.
#pragma once

#include "engine/batch.h"
#include "engine/block_entry.h"
#include "engine/guided_stream.h"
#include "engine/shard.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff {

/// Cases of a guided batch.
constexpr std::size_t kGuidedCases = 64;

/// Cases that it must have been told of: before, every pair of classes is rare.
constexpr std::int64_t kGuideFrom = 64;

/// Of a case's provenance: it is a neighbour of the case with that seed and index.
constexpr const char* kMutant = "mutated";

/// A function of the stream, the shard, and what it is told, in that order.
class Guide {
 public:
  /// `entry` must outlive this. The cases that are drawn are those of another seed's stream.
  Guide(const BlockEntry& entry, const StreamChoice& choice, const Shard& shard);

  /// A case was run that hits these trigger classes.
  void note_hit(const std::vector<std::string>& classes);

  /// An implementation agreed on the case with this largest error / bound.
  void note_ratio(const Case& c, double ratio);

  /// Whether it was told of enough to choose by.
  bool is_ready() const { return told_ >= kGuideFrom; }

  /// At most kGuidedCases, which are taken to be run.
  std::vector<Case> next();

  const GuidedStream& counts() const { return counts_; }
  GuidedStream& counts() { return counts_; }

 private:
  /// A case near its bound, whose neighbours are tried.
  struct Near {
    double ratio;
    Case problem;
    int tries = 0;
  };

  void add_rare(std::size_t most, std::vector<Case>& cases);
  void add_mutants(std::vector<Case>& cases);
  std::int64_t rarest(const std::vector<std::string>& classes) const;

  const BlockEntry& entry_;
  StreamChoice choice_;
  bool keeps_sizes_;
  std::int64_t told_ = 0;                                             ///< cases whose classes are known
  std::uint64_t drawn_ = 0;                                           ///< candidates
  std::uint64_t mutants_ = 0;                                         ///< keys used
  std::map<std::pair<std::string, std::string>, std::int64_t> hits_;  ///< of pairs of classes, in order
  std::vector<Near> near_;                                            ///< nearest first
  double nearest_ = 0;                                                ///< largest ratio below 1 that was seen
  GuidedStream counts_;
};

}  // namespace deformdiff
