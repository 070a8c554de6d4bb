// Failures that are not seen each time: how often to run, and running so often.
#pragma once

#include "engine/judge.h"

#include <functional>

namespace deformdiff {

/// Runs in fresh workers before those in one worker, again and again, which cost less.
constexpr int kFlakyRuns = 10;
constexpr int kRepeats = 200;

/// Runs among which a failure that this part of them shows is missed once in a hundred times; the most there
/// are for a rate of 0.
int runs_for(double rate);

/// Judges until `wanted` holds of a judgement, at most so many times and while the run goes on; the last
/// judgement. `fresh` and `again` judge in a fresh worker and in the present one.
Judgement judge_until(int runs, const std::function<bool(const Judgement&)>& wanted,
                      const std::function<Judgement()>& fresh, const std::function<Judgement()>& again);

}  // namespace deformdiff
