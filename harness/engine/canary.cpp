#include "engine/canary.h"

#include <algorithm>

namespace deformdiff {

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
