// Which earlier calls does a failure depend on?
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace deformdiff {

/// Positions of earlier calls, ascending, out of 0 .. available-1; the last is the one made just before.
using CallPositions = std::vector<std::size_t>;

/// Looks for a short list of earlier calls after which the failure comes back: the last 1, 2, 4, ... all of
/// them, then fewer by delta debugging (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing
/// Input, 2002, complements only). Nothing if none brings it back. `fails` makes the calls in a fresh worker;
/// `may_go_on` ends the search with the best so far.
std::optional<CallPositions> find_earlier_calls(std::size_t available,
                                                const std::function<bool(const CallPositions&)>& fails,
                                                const std::function<bool()>& may_go_on);

}  // namespace deformdiff
