#include "engine/excuse.h"

#include "core/declaration.h"
#include "engine/stage_judge.h"

#include <array>

namespace deformdiff {
namespace {

/// Asks less of a subject than what holds where it declares nothing. The other keys' defaults ask least.
struct Excuse {
  const char* declaration;
  /// What it leaves out may end in any way. Elsewhere one who computes the case may be wrong on it, and only
  /// a refusal is excused.
  bool anything_outside;
};

/// Who ignores level_start_index reads past the end of value where the levels overlap.
constexpr std::array<Excuse, 4> kExcuses{{{"level_start_index=ignored", true},
                                          {"flush_to_zero=1", false},
                                          {"arithmetic=storage", false},
                                          {"im2col_step=divides", false}}};

bool excuses(const Excuse& excuse, const SubjectInfo& excused, const BlockEntry& entry, const Case& c,
             const Judgement& judgement, int threads) {
  const Verdict verdict = judgement.comparison.verdict;
  if (!entry.block->outside_contract(c, excused.contract).empty()) {
    return excuse.anything_outside || verdict == Verdict::kThrew;
  }
  if (verdict != Verdict::kOutOfBound && verdict != Verdict::kNonfiniteMismatch) return false;
  const StageOptions options{.threads = threads, .one_run = judgement.one_run};
  return !is_finding(judge_stages(entry, c, judgement.outcome, excused, options).comparison.verdict);
}

}  // namespace

std::string excuse_of(const BlockEntry& entry, const Case& c, const Judgement& judgement,
                      const SubjectInfo& info, int threads) {
  if (!is_finding(judgement.comparison.verdict)) return "";
  for (const Excuse& excuse : kExcuses) {
    SubjectInfo excused = info;
    apply(parse_declaration(excuse.declaration), excused);
    const bool is_open = excused.precision != info.precision || excused.contract != info.contract;
    if (is_open && excuses(excuse, excused, entry, c, judgement, threads)) return excuse.declaration;
  }
  return "";
}

}  // namespace deformdiff
