#include "engine/investigate.h"

#include "core/error.h"
#include "engine/excuse.h"
#include "engine/shrink_case.h"
#include "engine/signature.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Calls that a search for the ones that matter goes back at most.
constexpr std::size_t kMostEarlierCalls = 4096;

/// Part of a finding's time that a sibling gets, of which there may be one a tier.
constexpr double kSiblingShare = 0.25;

/// Parts of a timed run that are left for grouping: for each subject that has several findings, never more
/// than a finding's shrinking may take; and for all of them.
constexpr double kGroupingShare = 0.1;
constexpr double kMostForGrouping = 0.2;

/// What a finding's line says beyond what was wrong.
std::string remarks_on(const Finding& finding) {
  std::string text;
  const int runs = finding.reproduction_runs;
  if (finding.other_bits) text += ", a second run on the same inputs gives other bits";
  if (finding.reproduction_rate == 1) return text;
  if (runs == 0) return text + ", not run again: the time was up, or its worker did not start";
  if (finding.reproduction_rate == 0) {
    return text + fmt::format(", not seen again in {} {}", runs, runs == 1 ? "run" : "runs");
  }
  return text + fmt::format(", flaky: seen in {:.3g} % of {} runs", finding.reproduction_rate * 100, runs);
}

/// The finding's case with what is known of the finding.
SavedCase with_remarks(SavedCase saved, const Finding& finding) {
  saved.note += remarks_on(finding);
  if (finding.reproduction_rate < 1 && finding.reproduction_runs > 0) {
    const std::int64_t runs = finding.reproduction_runs;
    saved.reproduction = {std::llround(finding.reproduction_rate * static_cast<double>(runs)), runs};
  }
  return saved;
}

void note_reproduction(const Confirmation& confirmation, Finding& finding) {
  finding.reproduction_rate = confirmation.rate;
  finding.reproduction_runs = confirmation.runs;
  finding.other_bits = confirmation.other_bits;
}

}  // namespace

Investigator::Investigator(const BlockEntry& entry, const SessionOptions& options, Listener& listener)
    : entry_(entry), options_(options), listener_(listener), book_(options.out / "findings") {}

void Investigator::investigate(SubjectState& state, Failure failure) {
  if (const std::optional<FindingKey> key = known(state, failure)) {
    Finding& first = *book_.find(*key);
    const Finding& cause = cause_of(state, failure, first);
    if (!failure.beside_stream) note_case(&cause == &first ? *key : book_.own_key(cause), failure);
    return;
  }
  origin_ = {failure.index, {}};
  met_.push_back(std::move(failure));
  while (!met_.empty()) {
    const Failure next = std::move(met_.front());
    met_.pop_front();
    if (!known(state, next)) investigate_one(state, next);
  }
  state.subject.runner->restart();
  state.forget_calls();
}

void Investigator::note_case(const FindingKey& key, const Failure& failure) {
  book_.count(key, failure.index);
  Finding& finding = *book_.find(key);
  if (finding.cases.size() < kKeptCases) finding.cases.push_back(failure.index);
  for (const std::string& trigger : entry_.generator->triggers_hit(failure.problem)) {
    ++finding.triggers[trigger];
  }
}

/// The key under which it is. Where a failure that nothing excuses is known, those of its signature are not
/// asked for an excuse.
std::optional<FindingKey> Investigator::known(const SubjectState& state, const Failure& failure) const {
  const Signature& signature = failure.judgement.signature;
  if (is_known(signature)) return FindingKey{signature, {}, {}};
  return known(key_of(state, failure.problem, failure.judgement));
}

/// A failure that a declaration leaves out belongs to one that the declaration excuses.
std::optional<FindingKey> Investigator::known(const FindingKey& key) const {
  if (is_known(key.signature)) return FindingKey{key.signature, {}, {}};
  if (book_.find(key) != nullptr) return key;
  const FindingKey excused{key.signature, {key.excuse.declaration, false}, {}};
  if (key.excuse.left_out && book_.find(excused) != nullptr) return excused;
  return std::nullopt;
}

FindingKey Investigator::key_of(const SubjectState& state, const Case& c, const Judgement& judgement) const {
  if (!state.subject.started()) return {judgement.signature, {}, {}};
  return {judgement.signature, excuse_of(entry_, c, judgement, state.subject, options_.threads), {}};
}

/// Two causes may have one signature, as an overflow and an infinity that leaks. The finding to which the
/// failure belongs: where it lacks numbers that the smallest case of every known one needs, and where it is
/// of a tier of which none was looked at and does not fail with their numbers alone, it is shrunk to see.
Finding& Investigator::cause_of(SubjectState& state, const Failure& failure, Finding& first) {
  if (!options_.shrink || !first.smallest || !first.excused_by.empty()) return first;
  const NumberKinds held = kinds_in(failure.problem);
  Finding* likely = nullptr;
  for (Finding* const cause : book_.causes_of(first.signature)) {
    const bool can_be = cause->smallest && std::ranges::includes(held, cause->smallest->needs);
    if (likely == nullptr && can_be) likely = cause;
  }
  Finding& known = likely != nullptr ? *likely : first;
  const NumberKinds others = without(held, known.smallest->needs);
  if (likely != nullptr && others.empty()) return known;
  const std::string& tier = failure.problem.provenance.tier;
  const bool is_new = siblings_.emplace(first.signature, tier, likely == nullptr).second;
  if (!is_new || options_.limits.end.passed()) return known;

  if (on_activity) on_activity("shrinking " + state.report.name);
  const auto fails = fails_like(state, failure.judgement.signature);
  const bool needs_others = likely == nullptr || !fails(with_replaced(failure.problem, others, std::nullopt));
  Finding& cause = needs_others ? shrunk_sibling(state, failure, known) : known;
  state.subject.runner->restart();
  state.forget_calls();
  return cause;
}

/// The finding of what the failure shrinks to: a new one if it fails apart from those of its signature.
Finding& Investigator::shrunk_sibling(SubjectState& state, const Failure& failure, Finding& known) {
  const SavedCase original = saved_case(state.subject, failure.judgement.signature, failure.problem, {},
                                        failure.judgement.comparison);
  const ReductionBudget budget{budget_seconds() * kSiblingShare, options_.shrink_evaluations,
                               options_.limits.end};
  const auto shrunk = shrink_case(state.subject, entry_, original, budget, options_.threads);
  if (!shrunk || !shrunk->minimal || shrunk->excuse != Excuse{}) return known;
  const Case& smallest = shrunk->saved.problem;
  const Signature& signature = shrunk->saved.signature.value();
  const Confirmation confirmation =
      confirmed(state, {smallest}, {{}, shrunk->comparison, signature}, {}, false);
  if (confirmation.rate < 1) return known;

  const auto fails = fails_like(state, signature);
  const FailingCase sibling{smallest, kinds_needed(smallest, fails)};
  std::vector<Finding*> causes = book_.causes_of(signature);
  if (causes.empty()) causes = book_.causes_of(known.signature);
  for (Finding* const cause : causes) {
    if (!cause->smallest || !fail_apart(sibling, *cause->smallest, fails)) return *cause;
  }
  if (options_.limits.end.passed()) return known;  // what was not run shows nothing

  FindingKey key{signature, {}, {}};
  key.needs = sibling.needs;
  Finding& finding = book_.add(key, {failure.index, {}});
  finding.first_case = failure.index;
  finding.original_elements = element_count(failure.problem);
  finding.evaluations = shrunk->evaluations;
  finding.certificate_evaluations = shrunk->certificate_evaluations;
  finding.minimal = true;
  finding.smallest = sibling;
  note_reproduction(confirmation, finding);
  keep(finding, shrunk->saved, shrunk->comparison);
  return finding;
}

/// Whether a case fails by the same rule in the same output, in a fresh worker. Elements' classes may differ.
std::function<bool(const Case&)> Investigator::fails_like(SubjectState& state,
                                                          const Signature& signature) const {
  return [this, &state, signature](const Case& c) {
    try {
      entry_.block->validate(c);
    } catch (const InputError&) {
      return false;
    }
    state.subject.runner->restart();
    const Judgement judgement =
        judge_case(state.subject, entry_, c, {}, {options_.threads, options_.memory_limit});
    return is_finding(judgement.comparison.verdict) && judgement.signature.rule == signature.rule &&
           judgement.signature.output == signature.output;
  };
}

void Investigator::investigate_one(SubjectState& state, const Failure& failure) {
  if (on_activity) on_activity("confirming " + state.report.name);
  const Confirmation confirmation =
      confirmed(state, {failure.problem}, failure.judgement, failure.earlier, !failure.beside_stream);
  const FindingKey met_as = key_of(state, failure.problem, failure.judgement);
  const FindingKey seen_as = key_of(state, failure.problem, confirmation.judgement);
  const LeadOrigin of_met = origin_;
  if (!failure.beside_stream) origin_.met_as = finding_id(met_as);
  if (const std::optional<FindingKey> key = known(seen_as)) {
    book_.lead(met_as, *book_.find(*key), of_met);
    if (!failure.beside_stream) note_case(met_as, failure);
    return;
  }
  // What only the calls made while shrinking brought about says nothing beyond the finding itself.
  if (failure.beside_stream && confirmation.rate == 0) return;

  Finding& finding = book_.add(seen_as, seen_as == met_as ? of_met : origin_);
  book_.lead(met_as, finding, of_met);
  if (!failure.beside_stream) note_case(met_as, failure);
  finding.first_case = failure.index;
  finding.original_elements = element_count(failure.problem);
  note_reproduction(confirmation, finding);
  const SavedCase unshrunk = saved_case(state.subject, finding.signature, failure.problem,
                                        confirmation.earlier, confirmation.judgement.comparison);
  keep(finding, unshrunk, confirmation.judgement.comparison);
  if (options_.shrink && confirmation.rate > 0 && state.subject.started()) {
    shrink(state, failure, finding, unshrunk, confirmation.judgement.comparison);
  }
}

Confirmation Investigator::confirmed(SubjectState& state, const Calls& calls, const Judgement& judgement,
                                     std::span<const std::uint64_t> earlier, bool may_repeat) const {
  Confirmation confirmation;
  confirmation.judgement = judgement;
  if (!state.subject.started()) return confirmation;

  const Stopwatch watch;
  const double budget = budget_seconds();
  earlier = earlier.last(std::min(earlier.size(), kMostEarlierCalls));
  const JudgeOptions judge{options_.threads, options_.memory_limit};
  ConfirmActions actions;
  const Calls before(calls.begin(), calls.end() - 1);
  actions.judge_fresh = [&](const Calls& last) {
    Calls all = before;
    all.insert(all.end(), last.begin(), last.end());
    state.subject.runner->restart();
    return judge_case(state.subject, entry_, all.back(), std::span(all).first(all.size() - 1), judge);
  };
  if (may_repeat) {
    actions.judge_again = [&](const Case& again) {
      return judge_case_here(state.subject, entry_, again, {}, judge);
    };
  }
  actions.shows = [&](const Judgement& again, const Signature& signature) {
    return deformdiff::shows(signature, again.comparison);
  };
  actions.available = earlier.size();
  actions.earlier_call = [&](std::size_t position) {
    return entry_.generator->generate(stream_of(options_), earlier[position]);
  };
  actions.may_go_on = [&] { return watch.seconds() < budget && !options_.limits.end.passed(); };
  return confirm(calls.back(), judgement, actions);
}

double Investigator::budget_seconds() const {
  const double left = options_.limits.end.seconds_left() - seconds_for_grouping();
  return std::clamp(left / 2, 0.0, options_.shrink_budget_seconds);
}

double Investigator::seconds_for_grouping() const {
  if (!options_.time_limit_seconds || !options_.shrink) return 0;
  std::map<std::string, int> findings;
  for (const Finding& finding : book_.findings()) ++findings[finding.signature.subject];
  const auto subjects = static_cast<double>(
      std::ranges::count_if(findings, [](const auto& entry) { return entry.second > 1; }));
  const double of_one =
      std::min(options_.shrink_budget_seconds, *options_.time_limit_seconds * kGroupingShare);
  return std::min(subjects * of_one, *options_.time_limit_seconds * kMostForGrouping);
}

void Investigator::shrink(SubjectState& state, const Failure& failure, Finding& finding,
                          const SavedCase& unshrunk, const Comparison& comparison) {
  if (on_activity) on_activity("shrinking " + state.report.name);
  ShrinkHooks hooks;
  hooks.on_smaller = [&](const SavedCase& smaller, const Comparison& of_smaller) {
    keep(finding, smaller, of_smaller);
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
  const auto shrunk =
      shrink_case(state.subject, entry_, with_remarks(unshrunk, finding), budget, options_.threads, hooks);
  if (!shrunk) return;
  finding.evaluations = shrunk->evaluations;
  finding.certificate_evaluations = shrunk->certificate_evaluations;
  if (finding.reproduction_rate < 1) {
    // The smaller case has a rate of its own; where it is none, the larger one is worth more.
    Calls calls = shrunk->saved.earlier_calls;
    calls.push_back(shrunk->saved.problem);
    const Confirmation again =
        confirmed(state, calls, {{}, shrunk->comparison, *shrunk->saved.signature}, {}, true);
    if (again.rate == 0) return keep(finding, unshrunk, comparison);
    note_reproduction(again, finding);
  }
  finding.minimal = shrunk->minimal;
  const FindingKey key{shrunk->saved.signature.value(), shrunk->excuse, {}};
  if (finding.minimal && finding.reproduction_rate == 1 && shrunk->saved.earlier_calls.empty()) {
    const Case& smallest = shrunk->saved.problem;
    finding.smallest = {smallest, kinds_needed(smallest, fails_like(state, key.signature))};
    if (options_.limits.end.passed()) finding.smallest.reset();  // what was not run shows nothing
  }
  if (key == filed_under(finding)) return keep(finding, shrunk->saved, shrunk->comparison);
  const SavedCase saved = with_remarks(shrunk->saved, finding);
  const std::optional<FailingCase> of_saved = finding.smallest;
  Finding& filed = book_.refile(finding, key, saved, origin_);
  if (filed.one_line != saved.note) return;
  filed.smallest = of_saved;
  tell(filed, shrunk->comparison);
}

void Investigator::keep(Finding& finding, const SavedCase& saved, const Comparison& comparison) {
  book_.save(finding, with_remarks(saved, finding));
  tell(finding, comparison);
}

void Investigator::tell(Finding& finding, const Comparison& comparison) {
  finding.decade = decade_of(comparison.ratio);
  finding.worst = wrong_element_of(comparison);
  listener_.on_finding(finding);
}

}  // namespace deformdiff
