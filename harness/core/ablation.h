// What can be taken away from a case to see whether a failure needs it.
#pragma once

#include "core/generator.h"

#include <string>
#include <vector>

namespace deformdiff {

/// One property that a case may have and a failure may need.
struct Ablation {
  std::string words;  ///< of a case without it, after "with": "one level", "points inside the map"

  /// Valid cases of the same block without it and alike in all else, one for each way to get there (each
  /// level alone); the case itself where it has no such property; none where no way leads to a valid case.
  std::function<CaseStream(const Case&)> without;

  bool is_lasting = false;     ///< where a failure does not need it, all else is tried without it
  bool leaves_little = false;  ///< too little to show a failure once others are taken away too: tried alone
};

/// The simplest property first.
using Ablations = std::vector<Ablation>;

}  // namespace deformdiff
