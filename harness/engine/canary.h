// Faults that a run must find, and right code that it must not blame: what a run knows of each.
#pragma once

#include "engine/case_ranges.h"

#include <cstdint>
#include <optional>
#include <string>

namespace deformdiff {

struct Canary {
  std::string name;
  std::string block;
  std::string trigger;      ///< of a fault: the trigger class without which it cannot show, or empty
  std::string expected;     ///< the verdict that it must get; "agree" of right code
  std::int64_t enough = 0;  ///< cases after which a fault must have been found
  CaseRanges cases;  ///< of the run's stream, that it was given; a fault none beyond the first that fails
  std::int64_t judged = 0;
  std::int64_t reached = 0;  ///< judged cases in which a fault could have shown: its trigger class was hit
  std::int64_t found = 0;    ///< cases that failed
  std::string verdict;       ///< of the first of them
  double seconds = 0;        ///< that it took

  bool is_right() const { return expected == "agree"; }

  /// Name of the verdict of the first case that failed; "agree" if none did.
  std::string got() const { return found > 0 ? verdict : "agree"; }

  /// Of a fault that was found: the case that showed it.
  std::optional<std::uint64_t> first_case() const;

  /// A fault is found with its verdict, right code agrees. What makes numbers wrong may come upon a NaN, or
  /// upon a case in which it gets the shape wrong, before it shows a wrong number, and the reverse.
  bool got_what_is_due() const;

  /// A fault that got enough cases, could have shown in some, and was not found.
  bool survived() const;

  /// A fault that is not found, and did not get enough cases that could show it.
  bool is_open() const { return !is_right() && found == 0 && !survived(); }

  /// Right code that was found wrong.
  bool was_blamed() const { return is_right() && found > 0; }
};

/// Adds what another run gave the same canary; nothing if it gave cases that are counted already.
void add(Canary& all, const Canary& part);

}  // namespace deformdiff
