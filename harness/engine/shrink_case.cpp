#include "engine/shrink_case.h"

#include "engine/findings.h"
#include "engine/repeat.h"
#include "engine/signature.h"
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

/// For a last run after the end.
constexpr double kLastSeconds = 3;

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
        runs_(original.reproduction ? runs_for(original.reproduction->rate()) : 1),
        calls_(original.earlier_calls) {
    calls_.push_back(original.problem);
  }

  std::optional<ShrunkCase> run() {
    if (!subject_.started()) return std::nullopt;
    if (original_.signature) signature_ = *original_.signature;
    signature_.subject = subject_.spec.name;
    const Judgement today = judge_until(
        runs_,
        [&](const Judgement& each) {
          return is_finding(each.comparison.verdict) &&
                 (!original_.signature || shows(signature_, each.comparison));
        },
        [&] { return judge_fresh(calls_); }, [&] { return judge_here(calls_); });
    if (!is_finding(today.comparison.verdict)) return std::nullopt;
    if (!original_.signature) signature_ = today.signature;
    if (!shows(signature_, today.comparison)) return std::nullopt;
    excuse_ = excuse(calls_, today);

    result_.saved = saved(calls_, today.comparison);
    result_.comparison = today.comparison;
    result_.excuse = excuse_;
    descend();
    while (go_on_in_another_class()) {
    }
    return std::move(result_);
  }

 private:
  enum class Mode { kWarm, kFresh, kHurried };

  /// Calls made while shrinking can leave a state in which more fails, or less: so what was found is tried
  /// again where each sequence gets a worker without any.
  void descend() {
    if (result_.comparison.verdict == Verdict::kTimedOut) {
      descend(Mode::kHurried);
      return;
    }
    const bool kept = descend(Mode::kWarm);
    if ((!kept || calls_.size() > 1) && !budget_.end.passed()) descend(Mode::kFresh);
  }

  /// False, and nothing changes, if what it finds does not fail in a fresh worker.
  bool descend(Mode mode) {
    const Excuse before = excuse_;
    const auto still_fails = [&](const Calls& candidate) { return fails(candidate, mode); };
    const auto on_smaller = [&](const Calls& smaller) {
      if (hooks_.on_smaller) hooks_.on_smaller(saved(smaller, latest_), latest_);
    };
    std::unique_ptr<Runner> patient;
    if (mode == Mode::kHurried) patient = std::exchange(subject_.runner, hurried_runner());
    Reduction reduction = reduce(calls_, entry_.shrinks, still_fails, budget_left(), on_smaller);
    if (patient) subject_.runner = std::move(patient);
    // What was reached when the run ended is worth the moment that its confirmation takes.
    if (budget_.end.passed()) patient = std::exchange(subject_.runner, last_runner());

    result_.evaluations += reduction.evaluations;
    result_.certificate_evaluations = reduction.certificate_evaluations;
    result_.minimal = false;
    const Judgement last = judge(reduction.smallest, Mode::kFresh);
    if (patient) subject_.runner = std::move(patient);
    if (!shown(reduction.smallest, last)) {
      excuse_ = before;
      return false;
    }
    result_.minimal = reduction.minimal;
    result_.saved = saved(reduction.smallest, last.comparison);
    result_.comparison = last.comparison;
    result_.excuse = excuse_;
    calls_ = std::move(reduction.smallest);
    return true;
  }

  bool fails(const Calls& candidate, Mode mode) {
    Judgement judgement = judge(candidate, mode);
    // A sequence that fails after others need not fail without them.
    if (mode == Mode::kWarm && candidate.size() > 1 && shown(candidate, judgement)) {
      judgement = judge(candidate, Mode::kFresh);
    }
    if (const auto excuse = shown(candidate, judgement)) {
      latest_ = judgement.comparison;
      excuse_ = *excuse;
      return true;
    }
    if (!is_finding(judgement.comparison.verdict)) return false;
    if (differs_in_class(judgement.signature)) {
      note_other_class(candidate, judgement.signature);
    } else if (hooks_.on_other && candidate.size() == 1) {
      hooks_.on_other(candidate.back(), judgement);
    }
    return false;
  }

  bool differs_in_class(const Signature& signature) const {
    return signature.rule == signature_.rule && signature.output == signature_.output &&
           signature.element_class != signature_.element_class;
  }

  void note_other_class(const Calls& candidate, const Signature& signature) {
    if (other_class_ && elements_of(other_class_->calls) <= elements_of(candidate)) return;
    other_class_ = {candidate, signature};
  }

  /// What was left out on the way to a smaller failure in another class was not needed: an element is of the
  /// class of all its points together, and one of them may do. True if the smallest became smaller so.
  bool go_on_in_another_class() {
    const std::optional<OtherClass> other = std::exchange(other_class_, std::nullopt);
    if (!other || elements_of(other->calls) >= elements_of(calls_)) return false;
    const Signature before = std::exchange(signature_, other->signature);
    const Judgement judgement = judge(other->calls, Mode::kFresh);
    const auto excuse = shown(other->calls, judgement);
    if (!excuse) {
      signature_ = before;
      return false;
    }
    excuse_ = *excuse;
    calls_ = other->calls;
    result_.saved = saved(calls_, judgement.comparison);
    result_.comparison = judgement.comparison;
    result_.excuse = excuse_;
    descend();
    return true;
  }

  static std::int64_t elements_of(const Calls& calls) {
    std::int64_t elements = 0;
    for (const Case& call : calls) elements += element_count(call);
    return elements;
  }

  std::unique_ptr<Runner> hurried_runner() const {
    RunLimits limits = subject_.limits;
    const double patient = limits.case_timeout_seconds.value_or(kCaseTimeout);
    limits.case_timeout_seconds = std::min(patient, std::max(kShortestHang, patient * kHangShare));
    return subject_.spec.make_runner(subject_.spec.command, limits);
  }

  std::unique_ptr<Runner> last_runner() const {
    RunLimits limits = subject_.limits;
    limits.end = Deadline().within(kLastSeconds);
    return subject_.spec.make_runner(subject_.spec.command, limits);
  }

  ReductionBudget budget_left() const {
    return {std::max(0.0, budget_.seconds - watch_.seconds()),
            std::max<std::int64_t>(0, budget_.evaluations - result_.evaluations), budget_.end};
  }

  Judgement judge_fresh(const Calls& calls) {
    subject_.runner->restart();
    return judge_here(calls);
  }

  Judgement judge_here(const Calls& calls) {
    return judge_case_here(subject_, entry_, calls.back(), std::span(calls).first(calls.size() - 1),
                           {.threads = threads_});
  }

  /// As often as it takes for a failure that is not seen each time.
  Judgement judge(const Calls& calls, Mode mode) {
    const auto fresh = [&] { return judge_fresh(calls); };
    const auto here = [&] { return judge_here(calls); };
    const auto fails = [&](const Judgement& judgement) {
      return is_finding(judgement.comparison.verdict) && shows(signature_, judgement.comparison);
    };
    if (mode == Mode::kFresh) return judge_until(runs_, fails, fresh, here);
    return judge_until(runs_, fails, here, here);
  }

  Excuse excuse(const Calls& calls, const Judgement& judgement) const {
    return excuse_of(entry_, calls.back(), judgement, subject_, threads_);
  }

  /// Its excuse if it is the failure that is shrunk: what another declaration excuses is not the same. What a
  /// declaration leaves out may be either.
  std::optional<Excuse> shown(const Calls& calls, const Judgement& judgement) const {
    if (!is_finding(judgement.comparison.verdict) || !shows(signature_, judgement.comparison)) return {};
    Excuse excuse_now = excuse(calls, judgement);
    return excuse_.left_out || excuse_now == excuse_ ? std::optional(std::move(excuse_now)) : std::nullopt;
  }

  SavedCase saved(Calls calls, const Comparison& comparison) const {
    Case problem = std::move(calls.back());
    calls.pop_back();
    problem.provenance = original_.problem.provenance;
    if (problem != original_.problem) problem.provenance.generator = "shrunk";
    return saved_case(subject_, signature_, std::move(problem), std::move(calls), comparison);
  }

  /// A candidate that failed by the same rule in an element of another class.
  struct OtherClass {
    Calls calls;
    Signature signature;
  };

  Subject& subject_;
  const BlockEntry& entry_;
  const SavedCase& original_;
  const ReductionBudget budget_;
  const int threads_;
  const ShrinkHooks& hooks_;
  const int runs_;  ///< of a candidate, until it fails
  Calls calls_;
  const Stopwatch watch_;
  Signature signature_;
  Excuse excuse_;  ///< of the failure
  Comparison latest_;
  std::optional<OtherClass> other_class_;  ///< the smallest of them
  ShrunkCase result_;
};

}  // namespace

std::optional<ShrunkCase> shrink_case(Subject& subject, const BlockEntry& entry, const SavedCase& original,
                                      const ReductionBudget& budget, int threads, const ShrinkHooks& hooks) {
  return CaseShrinker(subject, entry, original, budget, threads, hooks).run();
}

}  // namespace deformdiff
