#include "engine/state_search.h"

#include <algorithm>
#include <numeric>

namespace deformdiff {
namespace {

CallPositions last(std::size_t available, std::size_t count) {
  CallPositions positions(count);
  std::iota(positions.begin(), positions.end(), available - count);
  return positions;
}

CallPositions without(const CallPositions& positions, std::size_t begin, std::size_t end) {
  CallPositions rest(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(begin));
  rest.insert(rest.end(), positions.begin() + static_cast<std::ptrdiff_t>(end), positions.end());
  return rest;
}

}  // namespace

std::optional<CallPositions> find_earlier_calls(std::size_t available,
                                                const std::function<bool(const CallPositions&)>& fails,
                                                const std::function<bool()>& may_go_on) {
  CallPositions kept;
  for (std::size_t count = 1; available > 0 && kept.empty(); count = std::min(2 * count, available)) {
    if (!may_go_on()) return std::nullopt;
    CallPositions tried = last(available, count);
    if (fails(tried)) kept = std::move(tried);
    if (count == available) break;
  }
  if (kept.empty()) return std::nullopt;

  for (std::size_t chunk = std::max<std::size_t>(kept.size() / 2, 1); kept.size() > 1;) {
    bool dropped = false;
    for (std::size_t begin = 0; begin < kept.size() && kept.size() > 1;) {
      if (!may_go_on()) return kept;
      CallPositions tried = without(kept, begin, std::min(begin + chunk, kept.size()));
      if (!tried.empty() && fails(tried)) {
        kept = std::move(tried);
        dropped = true;
      } else {
        begin += chunk;
      }
    }
    if (chunk == 1 && !dropped) break;
    if (chunk > 1) chunk /= 2;
  }
  return kept;
}

}  // namespace deformdiff
