// What came of the cases that a run drew beside its stream, where it saw most to gain.
#pragma once

#include <cstdint>
#include <string>

namespace deformdiff {

/// Counted apart: the cases of the run's own stream are what they are without it.
struct GuidedStream {
  std::string block;
  std::int64_t cases = 0;   ///< that were chosen; each was given to every implementation at work
  std::int64_t judged = 0;  ///< runs of them whose verdict says something
  std::int64_t found = 0;   ///< runs of them that failed
  std::int64_t pairs = 0;   ///< of trigger classes, that no case before had hit together
  std::int64_t climbs = 0;  ///< mutants nearer to their bound than any case before
  double seconds = 0;
};

/// Adds what another run, or another sitting of it, did for the same block.
inline void add(GuidedStream& all, const GuidedStream& part) {
  all.cases += part.cases;
  all.judged += part.judged;
  all.found += part.found;
  all.pairs += part.pairs;
  all.climbs += part.climbs;
  all.seconds += part.seconds;
}

}  // namespace deformdiff
