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
    alone();
    if (hits_ == 0 && may_go_on()) after_earlier_calls();
    result_.runs = runs_;
    result_.rate = runs_ > 0 ? static_cast<double>(hits_) / runs_ : 0;
    return std::move(result_);
  }

 private:
  bool may_go_on() const { return !ended_ && actions_.may_go_on(); }
  int wanted_runs() const { return once_ ? 1 : kConfirmations; }

  bool repeat(const Calls& calls) {
    Judgement again = actions_.judge_fresh(calls);
    if (again.comparison.verdict == Verdict::kNotRun) {
      ended_ = true;
      return false;
    }
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

  /// A few times if it fails every time, else often enough for a rate.
  void alone() {
    while (runs_ < wanted_runs() && repeat({case_})) {
    }
    if (hits_ == wanted_runs()) return;
    while (!once_ && runs_ < kFlakyRuns && may_go_on()) repeat({case_});
  }

  void after_earlier_calls() {
    const auto calls_of = [&](const CallPositions& positions) {
      Calls calls;
      for (const std::size_t position : positions) calls.push_back(actions_.earlier_call(position));
      calls.push_back(case_);
      return calls;
    };
    const auto fails = [&](const CallPositions& positions) { return repeat(calls_of(positions)); };
    const int alone = runs_;
    const auto found = find_earlier_calls(actions_.available, fails, [this] { return may_go_on(); });
    runs_ = alone;
    hits_ = 0;
    if (!found) return;
    runs_ = 0;
    Calls calls = calls_of(*found);
    while (runs_ < wanted_runs() && !ended_) repeat(calls);
    calls.pop_back();
    result_.earlier = std::move(calls);
  }

  const Case& case_;
  const ConfirmActions& actions_;
  Signature wanted_;
  Confirmation result_;
  bool once_ = false;
  bool seen_ = false;
  bool ended_ = false;  ///< a run was not made: there will be no others
  int runs_ = 0;
  int hits_ = 0;
};

}  // namespace

Confirmation confirm(const Case& c, const Judgement& first, const ConfirmActions& actions) {
  return Confirmer(c, first, actions).run();
}

}  // namespace deformdiff
