#include "engine/excuse.h"

#include "core/declaration.h"
#include "engine/references.h"
#include "engine/stage_judge.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace deformdiff {
namespace {

/// Asks less of a subject than what holds where it declares nothing. Other keys are not tried: most
/// defaults ask least, and what cuts operands or sums to few bits would excuse any small error.
struct Excusing {
  std::string_view declaration;
  /// What it leaves out may end in any way. Elsewhere one who computes the case may be wrong on it, and only
  /// a refusal is excused.
  bool anything_outside;
};

/// Who ignores level_start_index reads past the end of value where the levels overlap.
/// Of a refusal that two leave out the first is the likelier.
constexpr std::array<Excusing, 4> kExcusing{{{"im2col_step=divides", false},
                                             {"level_start_index=ignored", true},
                                             {"flush_to_zero=1", false},
                                             {"arithmetic=storage", false}}};

/// Whether it leaves the case out, and with it the failure.
bool leaves_out(const Excusing& excusing, const SubjectInfo& excused, const BlockEntry& entry, const Case& c,
                Verdict verdict) {
  if (!excusing.anything_outside && verdict != Verdict::kThrew) return false;
  return !entry.block->outside_contract(c, excused.contract).empty();
}

/// Whether the sets of another declaration hold the outcome; it has none of its own if no reference depends
/// on what it says.
bool agrees(const SubjectInfo& excused, const Subject& subject, const BlockEntry& entry, const Case& c,
            const Judgement& judgement, int threads) {
  if (reference_key(excused, false) == reference_key(subject.info, false)) return false;
  const Verdict verdict = judgement.comparison.verdict;
  if (verdict != Verdict::kOutOfBound && verdict != Verdict::kNonfiniteMismatch) return false;
  if (!entry.block->outside_contract(c, excused.contract).empty()) return false;
  const StageOptions options{.threads = threads, .one_run = subject.spec.one_run};
  return !is_finding(judge_stages(entry, c, judgement.outcome, excused, options).comparison.verdict);
}

}  // namespace

Excuse excuse_of(const BlockEntry& entry, const Case& c, const Judgement& judgement, const Subject& subject,
                 int threads) {
  if (!is_finding(judgement.comparison.verdict)) return {};
  Excuse left_out;
  for (const Excusing& excusing : kExcusing) {
    SubjectInfo excused = subject.info;
    apply(parse_declaration(std::string(excusing.declaration)), excused);
    if (excused.precision == subject.info.precision && excused.contract == subject.info.contract) continue;
    if (agrees(excused, subject, entry, c, judgement, threads))
      return {std::string(excusing.declaration), false};
    if (left_out.declaration.empty() &&
        leaves_out(excusing, excused, entry, c, judgement.comparison.verdict)) {
      left_out = {std::string(excusing.declaration), true};
    }
  }
  return left_out;
}

bool speaks_for_itself(const Excuse& excuse) {
  return std::ranges::any_of(kExcusing, [&](const Excusing& excusing) {
    return excusing.declaration == excuse.declaration && !(excuse.left_out && excusing.anything_outside);
  });
}

}  // namespace deformdiff
