#include "engine/canary.h"

#include "core/verdict.h"

#include <algorithm>

namespace deformdiff {

std::optional<std::uint64_t> Canary::first_case() const {
  if (is_right() || found == 0 || cases.empty()) return std::nullopt;
  return cases.ranges().rbegin()->second - 1;
}

bool Canary::got_what_is_due() const {
  if (is_right()) return found == 0;
  if (found == 0) return false;
  return expected.empty() || verdict == expected ||
         (expected == name_of(Verdict::kOutOfBound) && verdict == name_of(Verdict::kNonfiniteMismatch));
}

bool Canary::survived() const {
  return !is_right() && found == 0 && reached > 0 && static_cast<std::int64_t>(cases.size()) >= enough;
}

void add(Canary& all, const Canary& part) {
  if (all.cases.overlaps(part.cases)) return;
  all.cases.add(part.cases);
  all.enough = std::max(all.enough, part.enough);
  all.judged += part.judged;
  all.reached += part.reached;
  all.found += part.found;
  if (all.verdict.empty()) all.verdict = part.verdict;
  all.seconds += part.seconds;
}

}  // namespace deformdiff
