#include "engine/repeat.h"

#include <algorithm>
#include <cmath>

namespace deformdiff {

int runs_for(double rate) {
  constexpr double kMissed = 0.01;
  constexpr int kMost = kFlakyRuns + kRepeats;
  if (rate >= 1) return 1;
  if (rate <= 0) return kMost;
  return static_cast<int>(std::min<double>(kMost, std::ceil(std::log(kMissed) / std::log1p(-rate))));
}

Judgement judge_until(int runs, const std::function<bool(const Judgement&)>& wanted,
                      const std::function<Judgement()>& fresh, const std::function<Judgement()>& again) {
  Judgement judgement = fresh();
  for (int run = 1; run < runs && !wanted(judgement); ++run) {
    if (judgement.comparison.verdict == Verdict::kNotRun) break;
    judgement = run < kFlakyRuns ? fresh() : again();
  }
  return judgement;
}

}  // namespace deformdiff
