// Does a failing case fail again: alone, after the calls that went before, now and then, or never?
#pragma once

#include "engine/judge.h"
#include "engine/reducer.h"
#include "engine/repeat.h"

#include <cstddef>
#include <functional>

namespace deformdiff {

struct Confirmation {
  Calls earlier;            ///< calls that the failure needs before it; empty if it fails alone
  double rate = 1;          ///< part of the runs that showed it; below 1 is flaky
  int runs = 0;             ///< that there were, after `earlier`; fewer than wanted once the budget is spent
  bool other_bits = false;  ///< two runs of the case alone gave other bits
  Judgement judgement;      ///< of a run that showed it; the one given if none did
};

/// What confirm() needs of the world.
struct ConfirmActions {
  /// Judges the last case after the calls before it, in a fresh worker.
  std::function<Judgement(const Calls&)> judge_fresh;
  /// Judges the case in the worker of the run before; empty if its own calls are not to bring it about.
  std::function<Judgement(const Case&)> judge_again;
  /// Whether a judgement shows the failure of this signature.
  std::function<bool(const Judgement&, const Signature&)> shows;
  /// Call `position` of the `available` ones made before the case in its worker.
  std::size_t available = 0;
  std::function<Case(std::size_t)> earlier_call;
  std::function<bool()> may_go_on;  ///< false once the budget is spent
};

/// Runs of a case alone before it is called reproducible.
constexpr int kConfirmations = 3;

/// `first` is the judgement of `c` in the run. Alone in fresh workers; if that never shows it, after earlier
/// calls; if these do not either, again and again in one worker. A hang is run only once more. What was not
/// run counts as no run.
Confirmation confirm(const Case& c, const Judgement& first, const ConfirmActions& actions);

}  // namespace deformdiff
