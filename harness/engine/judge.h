// One case, one subject: admitted, run, judged.
#pragma once

#include "core/signature.h"
#include "engine/block_entry.h"
#include "engine/compare.h"
#include "engine/subject.h"

#include <cstdint>
#include <span>

namespace deformdiff {

struct Judgement {
  Outcome outcome;
  Comparison comparison;
  Signature signature;  ///< meaningful if is_finding(comparison.verdict)
};

/// Runs and judges one case. With `earlier`, a fresh worker makes those calls first, in order; without, the
/// present worker is used (restart the runner before to have a fresh one).
Judgement judge_case(Subject& subject, const BlockEntry& entry, const Case& c, std::span<const Case> earlier,
                     int threads, std::int64_t memory_limit);

/// The same in the present worker, whatever calls it was given before `earlier`.
Judgement judge_case_here(Subject& subject, const BlockEntry& entry, const Case& c,
                          std::span<const Case> earlier, int threads, std::int64_t memory_limit);

}  // namespace deformdiff
