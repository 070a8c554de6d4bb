#include "engine/confirm.h"

#include "engine/state_search.h"

#include <utility>

namespace deformdiff {
namespace {

class Confirmer {
 public:
  Confirmer(const Case& c, const Judgement& first, const ConfirmActions& actions)
      : case_(c), actions_(actions), wanted_(first.signature) {
    result_.judgement = first;
    once_ = first.comparison.verdict == Verdict::kTimedOut;
  }

  Confirmation run() {
    if (alone()) return std::move(result_);
    if (result_.rate == 0) after_earlier_calls();
    return std::move(result_);
  }

 private:
  bool repeat(const Calls& calls) {
    Judgement again = actions_.judge_fresh(calls);
    ++runs_;
    // Alone it may fail in another way than among other calls: from here on that is the failure.
    if (!seen_ && is_finding(again.comparison.verdict) && !actions_.shows(again, wanted_)) {
      wanted_ = again.signature;
    }
    if (!is_finding(again.comparison.verdict) || !actions_.shows(again, wanted_)) return false;
    if (!seen_) result_.judgement = std::move(again);
    seen_ = true;
    ++hits_;
    return true;
  }

  /// True if it fails every time.
  bool alone() {
    const int wanted_runs = once_ ? 1 : kConfirmations;
    while (runs_ < wanted_runs && repeat({case_})) {
    }
    if (hits_ == wanted_runs) return true;
    while (!once_ && runs_ < kFlakyRuns && actions_.may_go_on()) repeat({case_});
    result_.rate = static_cast<double>(hits_) / runs_;
    return false;
  }

  void after_earlier_calls() {
    const auto calls_of = [&](const CallPositions& positions) {
      Calls calls;
      for (const std::size_t position : positions) calls.push_back(actions_.earlier_call(position));
      calls.push_back(case_);
      return calls;
    };
    const auto fails = [&](const CallPositions& positions) { return repeat(calls_of(positions)); };
    const auto found = find_earlier_calls(actions_.available, fails, actions_.may_go_on);
    if (!found) return;
    runs_ = hits_ = 0;
    Calls calls = calls_of(*found);
    while (runs_ < (once_ ? 1 : kConfirmations)) repeat(calls);
    result_.rate = static_cast<double>(hits_) / runs_;
    calls.pop_back();
    result_.earlier = std::move(calls);
  }

  const Case& case_;
  const ConfirmActions& actions_;
  Signature wanted_;
  Confirmation result_;
  bool once_ = false;
  bool seen_ = false;
  int runs_ = 0;
  int hits_ = 0;
};

}  // namespace

Confirmation confirm(const Case& c, const Judgement& first, const ConfirmActions& actions) {
  return Confirmer(c, first, actions).run();
}

}  // namespace deformdiff
