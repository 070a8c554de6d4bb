// Shrinks a failing sequence of calls, mostly of one: greedy descent over the block's list of smaller cases.
#pragma once

#include "core/generator.h"
#include "engine/deadline.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace deformdiff {

struct ReductionBudget {
  double seconds = 60;
  std::int64_t evaluations = 2000;
  Deadline end{};  ///< of the run, whatever is left of the two
};

/// Calls made in order on one worker; the last is the one that fails.
using Calls = std::vector<Case>;

struct Reduction {
  Calls smallest;
  std::int64_t evaluations = 0;              ///< candidates that were run, those of the certificate apart
  std::int64_t certificate_evaluations = 0;  ///< candidates of the smallest that were run: none fails
  bool minimal = false;  ///< every step of the list was tried on the smallest and no longer shows the failure
};

/// `original` must fail; `still_fails` says whether a candidate, all of whose calls are valid, shows the same
/// failure; `on_smaller` is called with each smaller one that does, so that the best so far can be saved at
/// once. Never tries a sequence twice. Goes round the list: after a success it carries on at the same place
/// of the smaller one's list, and a whole round without a success is the certificate. Where the budget of
/// evaluations is spent in a round that could still become the certificate, up to kCertificateAllowance more
/// tries may finish it.
///
/// Steps: every call like the last, the same step on all calls at once, a call less, a step on one call (not
/// where all are alike: one problem is simpler than many). The last call is never dropped.
Reduction reduce(const Calls& original, const Shrinks& shrinks,
                 const std::function<bool(const Calls&)>& still_fails, const ReductionBudget& budget,
                 const std::function<void(const Calls&)>& on_smaller);

constexpr std::int64_t kCertificateAllowance = 1000;

}  // namespace deformdiff
