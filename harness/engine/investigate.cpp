#include "engine/investigate.h"

#include "engine/shrink_case.h"
#include "engine/signature.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Calls that a search for the ones that matter goes back at most.
constexpr std::size_t kMostEarlierCalls = 4096;

/// What a finding's line says of its reproduction; nothing if it fails every time.
std::string reproduction_text(const Confirmation& confirmation) {
  if (confirmation.rate == 1) return "";
  if (confirmation.runs == 0) return ", not run again: the time was up";
  const char* const times = confirmation.runs == 1 ? "run" : "runs";
  if (confirmation.rate == 0) return fmt::format(", not seen again in {} {}", confirmation.runs, times);
  return fmt::format(", flaky: seen in {:.0f} % of {} runs", confirmation.rate * 100, confirmation.runs);
}

}  // namespace

Investigator::Investigator(const BlockEntry& entry, const SessionOptions& options, Listener& listener)
    : entry_(entry), options_(options), listener_(listener), book_(options.out / "findings") {}

void Investigator::count(const Signature& signature) {
  Finding* const finding = book_.find(signature);
  DEFORMDIFF_CHECK(finding != nullptr);
  ++finding->count;
}

void Investigator::investigate(SubjectState& state, Failure failure) {
  met_.push_back(std::move(failure));
  while (!met_.empty()) {
    const Failure next = std::move(met_.front());
    met_.pop_front();
    if (!is_known(next.judgement.signature)) investigate_one(state, next);
  }
  state.subject.runner->restart();
  state.forget_calls();
}

void Investigator::investigate_one(SubjectState& state, const Failure& failure) {
  if (on_activity) on_activity("confirming " + state.report.name);
  const Confirmation confirmation = confirmed(state, failure);
  const Signature& signature = confirmation.judgement.signature;
  if (is_known(signature)) {
    if (!failure.by_shrinking) count(signature);
    return;
  }
  // What only the calls made while shrinking brought about says nothing beyond the finding itself.
  if (failure.by_shrinking && confirmation.rate == 0) return;

  Finding& finding = book_.add(signature, failure.judgement.signature);
  finding.count = failure.by_shrinking ? 0 : 1;
  finding.first_case = failure.index;
  finding.reproduction_rate = confirmation.rate;
  finding.reproduction_runs = confirmation.runs;
  finding.original_elements = element_count(failure.problem);
  SavedCase unshrunk = saved_case(state.subject, signature, failure.problem, confirmation.earlier,
                                  confirmation.judgement.comparison);
  unshrunk.note += reproduction_text(confirmation);
  keep(finding, unshrunk, confirmation.judgement.comparison);
  if (options_.shrink && confirmation.rate == 1 && state.subject.started()) {
    shrink(state, failure, finding, unshrunk);
  }
}

Confirmation Investigator::confirmed(SubjectState& state, const Failure& failure) const {
  Confirmation confirmation;
  confirmation.judgement = failure.judgement;
  if (!state.subject.started()) return confirmation;

  const Stopwatch watch;
  const double budget = budget_seconds();
  const std::span<const std::uint64_t> earlier =
      std::span(failure.earlier).last(std::min(failure.earlier.size(), kMostEarlierCalls));
  ConfirmActions actions;
  actions.judge_fresh = [&](const Calls& calls) {
    state.subject.runner->restart();
    return judge_case(state.subject, entry_, calls.back(), std::span(calls).first(calls.size() - 1),
                      {options_.threads, options_.memory_limit});
  };
  actions.shows = [&](const Judgement& judgement, const Signature& signature) {
    return deformdiff::shows(signature, judgement.comparison);
  };
  actions.available = earlier.size();
  actions.earlier_call = [&](std::size_t position) {
    return entry_.generator->generate(stream_of(options_), earlier[position]);
  };
  actions.may_go_on = [&] { return watch.seconds() < budget && !options_.limits.end.passed(); };
  return confirm(failure.problem, failure.judgement, actions);
}

double Investigator::budget_seconds() const {
  return std::min(options_.shrink_budget_seconds, options_.limits.end.seconds_left() / 2);
}

void Investigator::shrink(SubjectState& state, const Failure& failure, Finding& finding,
                          const SavedCase& unshrunk) {
  if (on_activity) on_activity("shrinking " + state.report.name);
  ShrinkHooks hooks;
  hooks.on_smaller = [&](const SavedCase& smaller, const Comparison& comparison) {
    keep(finding, smaller, comparison);
  };
  hooks.on_other = [&](const Case& c, const Judgement& judgement) {
    // Of what shrinking meets, one of a rule is enough: classes of elements are told apart in the run.
    const auto same = [&](const Failure& met) {
      return met.judgement.signature.rule == judgement.signature.rule &&
             met.judgement.signature.output == judgement.signature.output;
    };
    if (is_known(judgement.signature) || std::any_of(met_.begin(), met_.end(), same)) return;
    met_.push_back({failure.index, c, judgement, {}, true});
  };
  const ReductionBudget budget{budget_seconds(), options_.shrink_evaluations, options_.limits.end};
  const auto shrunk = shrink_case(state.subject, entry_, unshrunk, budget, options_.threads, hooks);
  if (!shrunk) return;
  finding.evaluations = shrunk->evaluations;
  finding.certificate_evaluations = shrunk->certificate_evaluations;
  finding.minimal = shrunk->minimal;
  const Signature& signature = shrunk->saved.signature.value();
  if (signature == finding.signature) {
    keep(finding, shrunk->saved, shrunk->comparison);
    return;
  }
  Finding& filed = book_.refile(finding, signature, shrunk->saved);
  if (&filed == &finding) tell(filed, shrunk->comparison);
}

void Investigator::keep(Finding& finding, const SavedCase& saved, const Comparison& comparison) {
  book_.save(finding, saved);
  tell(finding, comparison);
}

void Investigator::tell(Finding& finding, const Comparison& comparison) {
  finding.decade = decade_of(comparison.ratio);
  listener_.on_finding(finding);
}

}  // namespace deformdiff
