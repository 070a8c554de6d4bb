// Shrinks a failing case: greedy descent over the block's list of smaller cases.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/generator.h"

namespace deformdiff {

struct ReductionBudget {
  double seconds = 60;
  std::int64_t evaluations = 2000;
};

struct Reduction {
  Case smallest;
  std::int64_t evaluations = 0;              ///< candidates that were run
  std::int64_t certificate_evaluations = 0;  ///< of them, those of the last round, which all failed to fail
  bool minimal = false;  ///< every step of the list was tried on `smallest` and no longer shows the failure
};

/// Whether the candidate, which is valid, still shows the same failure.
using StillFails = std::function<bool(const Case&)>;

/// Called with each smaller case that still fails, so that the best so far can be saved at once.
using OnSmaller = std::function<void(const Case&)>;

/// `original` must fail. Never tries a case twice.
Reduction reduce(const Case& original, const Shrinks& shrinks, const StillFails& still_fails,
                 const ReductionBudget& budget, const OnSmaller& on_smaller);

}  // namespace deformdiff
