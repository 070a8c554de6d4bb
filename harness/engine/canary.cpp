#include "engine/canary.h"

#include "core/verdict.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace deformdiff {

std::optional<std::uint64_t> Canary::first_case() const {
  if (is_right() || found == 0 || cases.empty()) return std::nullopt;
  return cases.ranges().rbegin()->second - 1;
}

bool Canary::got_what_is_due() const {
  if (is_right()) return found == 0;
  if (found == 0) return false;
  const auto is_any_of = [](std::string_view name, std::initializer_list<Verdict> verdicts) {
    return std::ranges::any_of(verdicts, [&](Verdict each) { return name == name_of(each); });
  };
  return expected.empty() || verdict == expected ||
         (is_any_of(expected, {Verdict::kOutOfBound, Verdict::kNonfiniteMismatch}) &&
          is_any_of(verdict, {Verdict::kOutOfBound, Verdict::kNonfiniteMismatch, Verdict::kWrongStructure}));
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
