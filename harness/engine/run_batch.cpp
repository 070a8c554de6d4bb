#include "engine/run_batch.h"

#include "engine/parallel.h"
#include "engine/references.h"
#include "engine/signature.h"
#include "engine/stage_judge.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <set>
#include <utility>

namespace deformdiff {
namespace {

/// Elements of inputs from which on the stages of a case get all threads.
constexpr std::int64_t kLarge = std::int64_t{1} << 20;

/// A batch on one subject.
class SubjectBatch {
 public:
  SubjectBatch(SubjectState& state, const BlockEntry& entry, const SessionOptions& options,
               const Batch& batch)
      : state_(state), entry_(entry), options_(options), batch_(batch) {}

  /// Gives the worker the cases that the subject admits, and says which references they need.
  void start(References& references) {
    std::vector<Case> cases;
    for (std::size_t position = 0; position < batch_.cases.size(); ++position) {
      const Case& c = batch_.cases[position];
      outcomes_.push_back(state_.admit_case(*entry_.block, c, options_.memory_limit));
      if (outcomes_.back().kind != Outcome::Kind::kReturned) continue;
      given_.push_back(position);
      cases.push_back(c);
      references.need(position, state_.subject.info);
    }
    const Stopwatch watch;
    if (!cases.empty()) {
      state_.subject.runner->start(cases, call_mode(state_.subject.info, *entry_.block, cases));
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
    for (std::size_t i = 0; i < returned.size(); ++i) outcomes_[given_[i]] = std::move(returned[i]);
    // The run ended before the rest: it is as if those cases had not been drawn.
    if (returned.size() < given_.size()) outcomes_.resize(given_[returned.size()]);
  }

  std::vector<Failure> judge(const References& references) {
    std::vector<Failure> failures;
    std::vector<RatioHistogram> ratios(outcomes_.size());
    std::vector<Comparison> comparisons = compared(references, ratios);
    auto next_given = given_.begin();
    for (std::size_t position = 0; position < outcomes_.size() && !state_.stopped; ++position) {
      const bool was_given = next_given != given_.end() && *next_given == position;
      Comparison& comparison = comparisons[position];
      count(state_.report, comparison);
      state_.report.ratios.add(ratios[position]);
      if (was_given) state_.report.run_seconds += outcomes_[position].seconds;
      if (is_finding(comparison.verdict)) failures.push_back(failure_at(position, std::move(comparison)));
      if (!was_given) continue;
      ++next_given;
      state_.note_call(batch_.first + position, outcomes_[position]);
    }
    return failures;
  }

  /// Of every case that has an outcome: beside each other, but a large case has all threads.
  std::vector<Comparison> compared(const References& references, std::vector<RatioHistogram>& ratios) {
    std::vector<Comparison> comparisons(outcomes_.size());
    const std::set<std::size_t> given(given_.begin(), given_.end());
    const auto judge = [&](std::size_t position, int threads) {
      StageOptions options{.threads = threads};
      if (given.contains(position)) options.shared = &references.of(position, state_.subject.info);
      comparisons[position] = judge_stages(entry_, batch_.cases[position], outcomes_[position],
                                           state_.subject.info, options, &ratios[position])
                                  .comparison;
    };
    std::vector<std::size_t> small;
    for (std::size_t position = 0; position < comparisons.size(); ++position) {
      if (element_count(batch_.cases[position]) < kLarge) {
        small.push_back(position);
      } else {
        judge(position, options_.threads);
      }
    }
    parallel_for(small.size(), options_.threads, [&](std::size_t i) { judge(small[i], 1); });
    return comparisons;
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
  std::vector<std::size_t> given_;  ///< positions of the cases that the worker was given
  std::vector<Outcome> outcomes_;   ///< one a case that counts: what it returned, or why it was not given it
  double start_seconds_ = 0;
  Stopwatch since_start_;
};

}  // namespace

void run_batch(const BlockEntry& entry, const SessionOptions& options,
               const std::vector<SubjectState*>& group, const Batch& batch, Investigator& investigator,
               TimeSplit& split, const std::function<void()>& meanwhile) {
  References references(entry, batch.cases);
  std::vector<std::pair<SubjectState*, SubjectBatch>> running;
  for (SubjectState* state : group) {
    if (state->stopped) continue;
    running.emplace_back(state, SubjectBatch(*state, entry, options, batch));
    running.back().second.start(references);
  }
  const Stopwatch watch;
  references.evaluate(options.threads);
  split.oracle += watch.seconds();
  meanwhile();

  // Investigations take long and restart workers: only when every worker is idle.
  std::vector<std::pair<SubjectState*, std::vector<Failure>>> met;
  for (auto& [state, work] : running) met.emplace_back(state, work.finish(references, split));
  for (auto& [state, failures] : met) {
    for (Failure& failure : failures) {
      investigator.investigate(*state, std::move(failure));
    }
  }
}

}  // namespace deformdiff
