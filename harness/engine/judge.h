// One case, one subject: admitted, run, judged.
#pragma once

#include "core/signature.h"
#include "engine/block_entry.h"
#include "engine/compare.h"
#include "engine/subject.h"

#include <cstdint>
#include <functional>
#include <span>

namespace deformdiff {

struct Judgement {
  Outcome outcome;
  Comparison comparison;
  Signature signature;  ///< meaningful if is_finding(comparison.verdict)
};

/// Gives the case to the subject after the calls `earlier`, in its present worker; what came of it, or why it
/// was not given it. `meanwhile`, unless it is empty, is called while the subject is at work.
Outcome run_case(Subject& subject, const Block& block, const Case& c, std::span<const Case> earlier,
                 std::int64_t memory_limit, const std::function<void()>& meanwhile);

struct JudgeOptions {
  int threads = 1;
  std::int64_t memory_limit = 0;  ///< bytes a case may need; 0 for no limit
  bool has_failed = false;        ///< as in StageOptions
};

/// Runs and judges one case. With `earlier`, a fresh worker makes those calls first, in order; without, the
/// present worker is used (restart the runner before to have a fresh one).
Judgement judge_case(Subject& subject, const BlockEntry& entry, const Case& c, std::span<const Case> earlier,
                     const JudgeOptions& options);

/// The same in the present worker, whatever calls it was given before `earlier`.
Judgement judge_case_here(Subject& subject, const BlockEntry& entry, const Case& c,
                          std::span<const Case> earlier, const JudgeOptions& options);

}  // namespace deformdiff
