// Shrinks a saved case on an open subject: for the command `shrink` and for sessions.
#pragma once

#include "core/case_file.h"
#include "engine/block_entry.h"
#include "engine/excuse.h"
#include "engine/judge.h"
#include "engine/reducer.h"

#include <functional>
#include <optional>

namespace deformdiff {

struct ShrunkCase {
  SavedCase saved;                           ///< the smallest, its note, earlier calls and signature included
  Comparison comparison;                     ///< of `saved` in a fresh worker
  Excuse excuse;                             ///< of `saved`
  std::int64_t evaluations = 0;              ///< candidates that were run, those of the certificate apart
  std::int64_t certificate_evaluations = 0;  ///< candidates of the smallest: none of them fails
  bool minimal = false;                      ///< the certificate is complete
};

struct ShrinkHooks {
  /// Each smaller case that still fails.
  std::function<void(const SavedCase&, const Comparison&)> on_smaller;
  /// A candidate that fails by another rule or in another output, on its own in the present worker; never one
  /// after earlier calls.
  std::function<void(const Case&, const Judgement&)> on_other;
};

/// Shrinks the problem and the calls before it, keeping to the signature of `original` (to that of its
/// failure today if it has none). Where candidates smaller than the smallest of its element class fail by the
/// same rule in another class, it goes on with those: the signature of the result is then of that class.
/// What another declaration excuses is another failure; where one leaves the original out, which may be
/// either, the first candidate that none leaves out says which. Nothing if it does not fail so in a fresh
/// worker. The result is confirmed in a fresh worker. Restarts the subject's worker.
std::optional<ShrunkCase> shrink_case(Subject& subject, const BlockEntry& entry, const SavedCase& original,
                                      const ReductionBudget& budget, int threads,
                                      const ShrinkHooks& hooks = {});

}  // namespace deformdiff
