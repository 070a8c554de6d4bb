// When a run ends: once its time is up, or as soon as the user asks.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

namespace deformdiff {

/// Never, unless it is told otherwise.
struct Deadline {
  using Clock = std::chrono::steady_clock;

  Clock::time_point time = Clock::time_point::max();
  const std::atomic<bool>* interrupted = nullptr;  ///< set by a signal; may be null

  bool passed() const { return (interrupted != nullptr && interrupted->load()) || Clock::now() >= time; }

  /// At most 0 once it has passed.
  double seconds_left() const {
    return passed() ? 0 : std::chrono::duration<double>(time - Clock::now()).count();
  }

  /// The same, but no later than in so many seconds.
  Deadline within(double seconds) const {
    // Far off is never: a time point holds some 292 years.
    constexpr double kFarOff = 1e9;
    if (seconds >= kFarOff) return *this;
    const auto wait = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    return {std::min(time, Clock::now() + wait), interrupted};
  }
};

}  // namespace deformdiff
