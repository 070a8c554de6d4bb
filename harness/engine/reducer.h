// Shrinks a failing case: greedy descent over the block's list of smaller cases.
#pragma once

#include "core/generator.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace deformdiff {

struct ReductionBudget {
  double seconds = 60;
  std::int64_t evaluations = 2000;
};

struct ReductionCost {
  std::int64_t evaluations = 0;              ///< candidates that were run, those of the certificate apart
  std::int64_t certificate_evaluations = 0;  ///< candidates of the smallest that were run: none fails
  bool minimal = false;  ///< every step of the list was tried on the smallest and no longer shows the failure
};

struct Reduction : ReductionCost {
  Case smallest;
};

/// Whether the candidate, which is valid, still shows the same failure.
using StillFails = std::function<bool(const Case&)>;

/// Called with each smaller case that still fails, so that the best so far can be saved at once.
using OnSmaller = std::function<void(const Case&)>;

/// `original` must fail. Never tries a case twice. Goes round the list: after a success it carries on at the
/// same place of the smaller case's list, and a whole round without a success is the certificate. Where the
/// budget of evaluations is spent in a round that could still become the certificate, up to
/// kCertificateAllowance more tries may finish it.
Reduction reduce(const Case& original, const Shrinks& shrinks, const StillFails& still_fails,
                 const ReductionBudget& budget, const OnSmaller& on_smaller);

constexpr std::int64_t kCertificateAllowance = 1000;

/// Calls made in order on one worker; the last is the one that fails.
using Calls = std::vector<Case>;

struct CallsReduction : ReductionCost {
  Calls smallest;
};

/// The same for a sequence of calls. Steps: every call like the last, the same step on all calls at once, a
/// call less, a step on one call (not where all are alike: one problem is simpler than many). The last call
/// is never dropped.
CallsReduction reduce_calls(const Calls& original, const Shrinks& shrinks,
                            const std::function<bool(const Calls&)>& still_fails,
                            const ReductionBudget& budget,
                            const std::function<void(const Calls&)>& on_smaller);

}  // namespace deformdiff
