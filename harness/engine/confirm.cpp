#include "engine/confirm.h"

#include "core/case_file.h"
#include "engine/state_search.h"

#include <optional>
#include <utility>
#include <vector>

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
    if (seen_.seen == 0 && may_go_on()) after_earlier_calls();
    if (seen_.seen == 0 && may_go_on() && !once_ && actions_.judge_again) again_and_again();
    result_.runs = static_cast<int>(seen_.runs);
    result_.rate = seen_.rate();
    return std::move(result_);
  }

 private:
  bool may_go_on() const { return !ended_ && actions_.may_go_on(); }
  int wanted_runs() const { return once_ ? 1 : kConfirmations; }

  /// Counts the run. Whether it showed the failure.
  bool note(Judgement run) {
    if (run.comparison.verdict == Verdict::kNotRun) {
      ended_ = true;
      return false;
    }
    ++seen_.runs;
    const bool fails = is_finding(run.comparison.verdict);
    // Alone it may fail in another way than among other calls: from here on that is the failure.
    if (!was_seen_ && fails && !actions_.shows(run, wanted_)) wanted_ = run.signature;
    if (!fails || !actions_.shows(run, wanted_)) return false;
    if (!was_seen_) result_.judgement = std::move(run);
    was_seen_ = true;
    ++seen_.seen;
    return true;
  }

  bool note_alone(Judgement run) {
    const Outcome& outcome = run.outcome;
    if (outcome.kind == Outcome::Kind::kReturned) {
      if (!outputs_) outputs_ = outcome.outputs;
      if (outcome.outputs != *outputs_ || !outcome.repeated_bits) result_.other_bits = true;
    }
    return note(std::move(run));
  }

  /// A few times if it fails every time, else often enough for a rate.
  void alone() {
    const auto fails = [&] { return note_alone(actions_.judge_fresh({case_})); };
    while (seen_.runs < wanted_runs() && fails()) {
    }
    if (seen_.seen == wanted_runs()) return;
    while (!once_ && seen_.runs < kFlakyRuns && may_go_on()) fails();
  }

  void after_earlier_calls() {
    const auto calls_of = [&](const CallPositions& positions) {
      Calls calls;
      for (const std::size_t position : positions) calls.push_back(actions_.earlier_call(position));
      calls.push_back(case_);
      return calls;
    };
    const Reproduction alone = seen_;
    const auto fails = [&](const CallPositions& positions) {
      return note(actions_.judge_fresh(calls_of(positions)));
    };
    const auto found = find_earlier_calls(actions_.available, fails, [this] { return may_go_on(); });
    if (found) {
      seen_ = {};
      Calls calls = calls_of(*found);
      const auto again = [&] { return note(actions_.judge_fresh(calls)); };
      while (seen_.runs < wanted_runs() && again()) {
      }
      const bool always = seen_.runs > 0 && seen_.seen == seen_.runs;
      while (!always && !once_ && seen_.runs < kFlakyRuns && may_go_on()) again();
      // Once among so many may be chance, and the calls before it no part of it.
      if (always || seen_.seen > 1) {
        calls.pop_back();
        result_.earlier = std::move(calls);
        return;
      }
    }
    seen_ = alone;
  }

  /// What comes by chance, as races do, takes many runs.
  void again_and_again() {
    constexpr int kEnough = 5;
    note_alone(actions_.judge_fresh({case_}));
    for (int run = 1; run < kRepeats && seen_.seen < kEnough && may_go_on(); ++run) {
      note_alone(actions_.judge_again(case_));
    }
  }

  const Case& case_;
  const ConfirmActions& actions_;
  Signature wanted_;
  Confirmation result_;
  Reproduction seen_;
  std::optional<std::vector<NamedTensor>> outputs_;  ///< of the first run that returned
  bool once_ = false;
  bool was_seen_ = false;
  bool ended_ = false;  ///< a run was not made: there will be no others
};

}  // namespace

Confirmation confirm(const Case& c, const Judgement& first, const ConfirmActions& actions) {
  return Confirmer(c, first, actions).run();
}

}  // namespace deformdiff
