#include "engine/shrink_case.h"

#include "engine/findings.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace deformdiff {
namespace {

/// Part of the case timeout that a candidate gets while a hang is shrunk, and its least, in seconds. What it
/// mistakes for a hang is found out by the confirmation under the full timeout.
constexpr double kHangShare = 1.0 / 15;
constexpr double kShortestHang = 1;

class CaseShrinker {
 public:
  CaseShrinker(Subject& subject, const BlockEntry& entry, const SavedCase& original,
               const ReductionBudget& budget, int threads, const ShrinkHooks& hooks)
      : subject_(subject),
        entry_(entry),
        original_(original),
        budget_(budget),
        threads_(threads),
        hooks_(hooks),
        calls_(original.earlier_calls) {
    calls_.push_back(original.problem);
  }

  std::optional<ShrunkCase> run() {
    const Judgement today = judge_fresh(calls_);
    if (!is_finding(today.comparison.verdict)) return std::nullopt;
    signature_ = original_.signature.value_or(today.signature);
    signature_.subject = subject_.spec.name;
    if (!shown(calls_, today)) return std::nullopt;

    // Calls made while shrinking can leave a state in which more fails: then again, without any.
    const bool hang = today.comparison.verdict == Verdict::kTimedOut;
    if (descend(hang ? Mode::kHurried : Mode::kWarm)) return std::move(result_);
    if (!hang && descend(Mode::kFresh)) return std::move(result_);
    result_.saved = saved(calls_, today.comparison);
    result_.comparison = today.comparison;
    result_.minimal = false;
    return std::move(result_);
  }

 private:
  enum class Mode { kWarm, kFresh, kHurried };

  /// False if what it finds does not fail in a fresh worker.
  bool descend(Mode mode) {
    const auto still_fails = [&](const Calls& candidate) {
      const Judgement judgement = mode == Mode::kFresh ? judge_fresh(candidate) : judge(candidate);
      if (shown(candidate, judgement)) {
        latest_ = judgement.comparison;
        return true;
      }
      if (hooks_.on_other && candidate.size() == 1 && is_finding(judgement.comparison.verdict)) {
        hooks_.on_other(candidate.back(), judgement);
      }
      return false;
    };
    const auto on_smaller = [&](const Calls& smaller) {
      if (hooks_.on_smaller) hooks_.on_smaller(saved(smaller, latest_), latest_);
    };
    std::unique_ptr<Runner> patient;
    if (mode == Mode::kHurried) patient = std::exchange(subject_.runner, hurried_runner());
    const CallsReduction reduction =
        reduce_calls(calls_, entry_.shrinks, still_fails, budget_left(), on_smaller);
    if (patient) subject_.runner = std::move(patient);

    result_.evaluations += reduction.evaluations;
    result_.certificate_evaluations = reduction.certificate_evaluations;
    result_.minimal = reduction.minimal;
    const Judgement last = judge_fresh(reduction.smallest);
    result_.saved = saved(reduction.smallest, last.comparison);
    result_.comparison = last.comparison;
    return shown(reduction.smallest, last);
  }

  std::unique_ptr<Runner> hurried_runner() const {
    RunLimits limits = subject_.limits;
    const double hurried = std::max(kShortestHang, limits.case_timeout_seconds * kHangShare);
    limits.case_timeout_seconds = std::min(limits.case_timeout_seconds, hurried);
    return std::make_unique<Runner>(subject_.spec.command, limits);
  }

  ReductionBudget budget_left() const {
    return {std::max(0.0, budget_.seconds - watch_.seconds()),
            std::max<std::int64_t>(0, budget_.evaluations - result_.evaluations)};
  }

  Judgement judge_fresh(const Calls& calls) {
    if (calls.size() == 1) subject_.runner->restart();
    return judge(calls);
  }

  Judgement judge(const Calls& calls) {
    return judge_case(subject_, entry_, calls.back(), std::span(calls).first(calls.size() - 1), threads_, 0);
  }

  bool shown(const Calls& calls, const Judgement& judgement) const {
    return is_finding(judgement.comparison.verdict) &&
           shows(entry_, signature_, calls.back(), judgement.comparison);
  }

  SavedCase saved(Calls calls, const Comparison& comparison) const {
    Case problem = std::move(calls.back());
    calls.pop_back();
    problem.provenance = original_.problem.provenance;
    if (problem != original_.problem) problem.provenance.generator = "shrunk";
    return saved_case(subject_, signature_, std::move(problem), std::move(calls), comparison);
  }

  Subject& subject_;
  const BlockEntry& entry_;
  const SavedCase& original_;
  const ReductionBudget budget_;
  const int threads_;
  const ShrinkHooks& hooks_;
  Calls calls_;
  const Stopwatch watch_;
  Signature signature_;
  Comparison latest_;
  ShrunkCase result_;
};

}  // namespace

std::optional<ShrunkCase> shrink_case(Subject& subject, const BlockEntry& entry, const SavedCase& original,
                                      const ReductionBudget& budget, int threads, const ShrinkHooks& hooks) {
  return CaseShrinker(subject, entry, original, budget, threads, hooks).run();
}

}  // namespace deformdiff
