// Who is told what goes on in a session.
#pragma once

#include "engine/finding.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace deformdiff {

struct Progress {
  std::int64_t done = 0;  ///< cases finished, on average over the subjects that get more
  std::size_t findings = 0;
  double seconds = 0;
  std::string activity;            ///< "fuzzing cpu, cuda_emulated" or "shrinking fault/swaps_xy"
  std::int64_t judged = 0;         ///< runs whose verdict says something
  std::size_t canaries = 0;        ///< faults among them that are run; 0 where none are
  std::size_t canaries_found = 0;  ///< of those
  std::size_t never_reached = 0;   ///< trigger classes of the block
};

/// Told as things happen; prints or not.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_progress(const Progress&) {}
  virtual void on_finding(const Finding&) {}  ///< also each time a smaller case replaces its file
};

}  // namespace deformdiff
