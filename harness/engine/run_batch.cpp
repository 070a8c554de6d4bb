#include "engine/run_batch.h"

#include "engine/parallel.h"
#include "engine/references.h"
#include "engine/shard.h"
#include "engine/signature.h"
#include "engine/stage_judge.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <set>
#include <utility>

namespace deformdiff {
namespace {

/// Of so many chunks of cases one is called in other ways too: of the smallest it takes twice the time.
constexpr std::uint64_t kOtherCallsShare = 4;

/// Elements of inputs from which on the stages of a case get all threads.
constexpr std::int64_t kLarge = std::int64_t{1} << 20;

/// A batch on one subject.
class SubjectBatch {
 public:
  SubjectBatch(SubjectState& state, const BlockEntry& entry, const SessionOptions& options,
               const Batch& batch, const OnJudged& on_judged)
      : state_(state), entry_(entry), options_(options), batch_(batch), on_judged_(on_judged) {}

  /// Looks which cases the subject admits, and says which references they need.
  void admit(References& references) {
    for (std::size_t position = 0; position < batch_.cases.size(); ++position) {
      order_.push_back(position);
      outcomes_.push_back(state_.admit_case(*entry_.block, batch_.cases[position], options_.memory_limit));
      if (outcomes_.back().kind != Outcome::Kind::kReturned) continue;
      given_.insert(position);
      references.need(position, state_.subject.info);
    }
    if (given_.empty() || !state_.wants_fresh_worker()) return;
    state_.forget_calls();
    state_.subject.runner->restart();
    state_.subject.runner->prepare();
  }

  /// The run is over: it is as if what the worker would be given, and what follows it, had not been drawn.
  void withdraw() {
    order_.erase(std::ranges::find_if(order_, [&](std::size_t each) { return given_.contains(each); }),
                 order_.end());
    given_.clear();
  }

  /// Whether the worker's first call is still to come.
  bool is_first() const { return !given_.empty() && state_.calls_of_worker().empty(); }

  /// Puts the case first that shows most, for what shows in a worker's first call alone.
  void begin_with_most_telling(const References& references) {
    if (state_.subject.info.bound == Bound::kNone) {
      state_.note_opening(true);  // nothing says beforehand what shows
      return;
    }
    std::int64_t most = 0;
    auto opening = order_.begin();
    for (auto each = order_.begin(); each != order_.end(); ++each) {
      const std::int64_t telling = given_.contains(*each) ? telling_elements(references, *each) : 0;
      if (telling > most) {
        most = telling;
        opening = each;
      }
    }
    std::rotate(order_.begin(), opening, opening + 1);
    state_.note_opening(most > 0);
  }

  /// Gives the worker the cases that the subject admits.
  void start() {
    std::vector<Case> cases;
    for (const std::size_t position : order_) {
      if (given_.contains(position)) cases.push_back(batch_.cases[position]);
    }
    const Stopwatch watch;
    if (!cases.empty()) {
      CallMode mode = call_mode(state_.subject.info, *entry_.block, cases);
      const bool other_calls = batch_.first / kShardCases % kOtherCallsShare == 0;
      mode.at_once = mode.at_once && other_calls;
      mode.packed = mode.packed && other_calls;
      state_.subject.runner->start(cases, mode);
    }
    start_seconds_ = watch.seconds();
    since_start_ = Stopwatch();
  }

  /// Waits for the outcomes, compares and counts. The failures.
  std::vector<Failure> finish(const References& references, TimeSplit& split) {
    if (!given_.empty()) collect(split);
    const Stopwatch watch;
    std::vector<Failure> failures = judge(references);
    split.compare += watch.seconds();
    return failures;
  }

 private:
  /// The worker computed while the parent did other things; what it computed beyond that was waited for, and
  /// the rest of the waiting is transport.
  void collect(TimeSplit& split) {
    const double overlapped = since_start_.seconds();
    const Stopwatch watch;
    std::vector<Outcome> returned = state_.subject.runner->finish();
    const double waited = watch.seconds();
    double run = 0;
    for (const Outcome& outcome : returned) run += outcome.seconds * (outcome.ran_twice ? 2 : 1);
    split.run += run;
    split.transport += start_seconds_ + std::max(0.0, waited - std::max(0.0, run - overlapped));
    auto next = returned.begin();
    for (auto each = order_.begin(); each != order_.end(); ++each) {
      if (!given_.contains(*each)) continue;
      if (next == returned.end()) {
        // The run ended before the rest: it is as if those cases had not been drawn.
        order_.erase(each, order_.end());
        break;
      }
      outcomes_[*each] = std::move(*next++);
    }
  }

  std::vector<Failure> judge(const References& references) {
    std::vector<Failure> failures;
    std::vector<RatioHistogram> ratios(outcomes_.size());
    std::vector<Comparison> comparisons = compared(references, ratios);
    for (const std::size_t position : order_) {
      if (state_.stopped) break;
      const bool was_given = given_.contains(position);
      Comparison& comparison = comparisons[position];
      SubjectReport& counts = state_.latest.counts;
      count(counts, comparison, batch_.first + position);
      if (!comparison.lost_worker.empty()) state_.forget_calls();
      counts.ratios.add(ratios[position]);
      if (was_given) counts.run_seconds += outcomes_[position].seconds;
      state_.note_done(batch_.first + position);
      if (on_judged_) on_judged_(batch_.cases[position], comparison);
      if (is_finding(comparison.verdict)) {
        note_places(entry_.places, batch_.cases[position], batch_.first + position, comparison,
                    counts.places);
        failures.push_back(failure_at(position, std::move(comparison)));
      }
      if (was_given) state_.note_call(batch_.first + position, outcomes_[position]);
    }
    return failures;
  }

  /// Of every case that has an outcome: beside each other, but a large case has all threads.
  std::vector<Comparison> compared(const References& references, std::vector<RatioHistogram>& ratios) {
    std::vector<Comparison> comparisons(outcomes_.size());
    const auto judge = [&](std::size_t position, int threads) {
      StageOptions options{.threads = threads};
      if (given_.contains(position)) options.shared = &references.of(position, state_.subject.info);
      comparisons[position] = judge_stages(entry_, batch_.cases[position], outcomes_[position],
                                           state_.subject.info, options, &ratios[position])
                                  .comparison;
    };
    std::vector<std::size_t> small;
    for (const std::size_t position : order_) {
      if (element_count(batch_.cases[position]) < kLarge) {
        small.push_back(position);
      } else {
        judge(position, options_.threads);
      }
    }
    parallel_for(small.size(), options_.threads, [&](std::size_t i) { judge(small[i], 1); });
    return comparisons;
  }

  /// How many elements of what the case's inputs determine could show a fault.
  std::int64_t telling_elements(const References& references, std::size_t position) const {
    std::int64_t telling = 0;
    for (const auto& [stage, reference] : references.of(position, state_.subject.info)) {
      if (reference->vacuous.empty()) telling += reference->telling_elements;
    }
    return telling;
  }

  Failure failure_at(std::size_t position, Comparison comparison) {
    Failure failure;
    failure.index = batch_.first + position;
    failure.problem = batch_.cases[position];
    failure.judgement.signature = signature_of(entry_.block->name(), state_.report.name, comparison);
    failure.judgement.comparison = std::move(comparison);
    failure.judgement.outcome = outcomes_[position];
    const auto calls = state_.calls_of_worker();
    failure.earlier.assign(calls.begin(), calls.end());
    if (options_.first_finding) state_.stopped = true;
    return failure;
  }

  SubjectState& state_;
  const BlockEntry& entry_;
  const SessionOptions& options_;
  const Batch& batch_;
  const OnJudged& on_judged_;
  std::vector<std::size_t> order_;  ///< positions of the cases that count, in the order of their calls
  std::set<std::size_t> given_;     ///< positions of those that the worker is given
  std::vector<Outcome> outcomes_;   ///< one a position: what it returned, or why it was not given it
  double start_seconds_ = 0;
  Stopwatch since_start_;
};

}  // namespace

std::vector<Met> judge_batch(const BlockEntry& entry, const SessionOptions& options,
                             const std::vector<SubjectState*>& group, const Batch& batch, TimeSplit& split,
                             const std::function<void()>& meanwhile, const OnJudged& on_judged) {
  References references(entry, batch.cases);
  std::vector<std::pair<SubjectState*, SubjectBatch>> running;
  for (SubjectState* state : group) {
    state->begin_batch();
    if (state->stopped) continue;
    running.emplace_back(state, SubjectBatch(*state, entry, options, batch, on_judged));
    running.back().second.admit(references);
    if (options.limits.end.passed()) running.back().second.withdraw();
  }
  const auto evaluate = [&] {
    const Stopwatch watch;
    references.evaluate(options.threads);
    split.oracle += watch.seconds();
  };
  // Which case shows most is known once the references are.
  const bool first = std::ranges::any_of(running, [](const auto& each) { return each.second.is_first(); });
  if (first) evaluate();
  for (auto& [state, work] : running) {
    if (work.is_first()) work.begin_with_most_telling(references);
    work.start();
  }
  if (!first) evaluate();
  meanwhile();

  std::vector<Met> met;
  for (auto& [state, work] : running) met.push_back({state, work.finish(references, split)});
  return met;
}

void run_batch(const BlockEntry& entry, const SessionOptions& options,
               const std::vector<SubjectState*>& group, const Batch& batch, Investigator& investigator,
               TimeSplit& split, const std::function<void()>& meanwhile, const OnJudged& on_judged) {
  std::vector<Met> all = judge_batch(entry, options, group, batch, split, meanwhile, on_judged);
  for (const Met& met : all) met.state->end_batch();
  // Investigations take long and restart workers: only when every worker is idle.
  for (Met& met : all) {
    for (Failure& failure : met.failures) investigator.investigate(*met.state, std::move(failure));
  }
}

}  // namespace deformdiff
