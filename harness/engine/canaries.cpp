#include "engine/canaries.h"

#include "engine/run_batch.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace deformdiff {
namespace {

/// Cases after which it is another's turn: a rare fault must not keep the others waiting.
constexpr std::int64_t kTurnCases = 256;

bool hangs(const Canary& canary) {
  return canary.expected == name_of(Verdict::kTimedOut);
}

}  // namespace

Canaries::Canaries(const BlockEntry& entry, const SessionOptions& options)
    : entry_(entry), options_(options) {
  for (const CanarySpec& spec : options_.canaries) {
    Canary canary;
    canary.name = spec.info.name;
    canary.block = entry.block->name();
    canary.trigger = spec.info.trigger;
    canary.expected = spec.info.expected;
    canary.enough = spec.enough;
    canaries_.push_back(std::move(canary));
  }
}

void Canaries::take_up(const std::vector<Canary>& earlier) {
  for (const Canary& canary : earlier) {
    const auto known = std::ranges::find(canaries_, canary.name, &Canary::name);
    if (known != canaries_.end()) *known = canary;
  }
}

const Canary* Canaries::run_if_due(double session_seconds) {
  const double share = kCanaryShare * session_seconds;
  if (share <= spent_ || canaries_.empty() || options_.limits.end.passed()) return nullptr;
  const Stopwatch watch;
  if (!turn_) begin_turn(share);
  if (!turn_) return nullptr;
  Canary& canary = canaries_[turn_->which];
  run_batch_on(*turn_, next_batch());
  const double seconds = watch.seconds();
  canary.seconds += seconds;
  spent_ += seconds;
  if (turn_->given >= kTurnCases || !is_due(turn_->which, std::numeric_limits<double>::infinity())) {
    turn_.reset();
  }
  return &canary;
}

/// A canary that hangs takes a case's whole time: it waits until the share of all of them is that much.
bool Canaries::is_due(std::size_t which, double share) const {
  const Canary& canary = canaries_[which];
  if (canary.is_right()) return true;
  if (hangs(canary) && share < options_.limits.case_timeout_seconds.value_or(kCaseTimeout)) return false;
  return canary.found == 0 && !canary.survived();
}

void Canaries::begin_turn(double share) {
  for (std::size_t tries = 0; tries < canaries_.size(); ++tries) {
    const std::size_t which = std::exchange(next_, (next_ + 1) % canaries_.size());
    if (!is_due(which, share)) continue;
    const CaseRanges& given = canaries_[which].cases;
    const std::uint64_t first =
        options_.shard.next_owned(given.empty() ? 0 : given.ranges().rbegin()->second);
    Subject subject = open_subject(options_.canaries[which].spec, options_.limits);
    const auto has_room = [this, info = subject.info](const Case& c) {
      return fits(info, *entry_.block, c, options_.memory_limit);
    };
    // A case of its own first: most faults need no more.
    turn_.emplace(Turn{which,
                       {std::move(subject), entry_.block->name()},
                       {*entry_.generator, stream_of(options_), first, first + 1, has_room}});
    return;
  }
}

Batch Canaries::next_batch() {
  Batch batch = turn_->source.next(options_.limits.end);
  if (!batch.cases.empty()) return batch;
  const std::uint64_t first = options_.shard.next_owned(turn_->source.position());
  // All cases of a batch are run: what hangs gets one at a time.
  turn_->source.go_on_at(first,
                         hangs(canaries_[turn_->which])
                             ? first + 1
                             : options_.shard.end_of(first, std::numeric_limits<std::uint64_t>::max()));
  return turn_->source.next(options_.limits.end);
}

void Canaries::run_batch_on(Turn& turn, const Batch& batch) {
  Canary& canary = canaries_[turn.which];
  const std::vector<TriggerClass> classes = entry_.generator->triggers();
  const bool everywhere = std::ranges::find(classes, canary.trigger, &TriggerClass::name) == classes.end();
  SessionOptions options = options_;
  options.first_finding = !canary.is_right();
  TimeSplit ignored;
  judge_batch(
      entry_, options, {&turn.state}, batch, ignored, [] {},
      [&](const Case& c, const Comparison& comparison) {
        const bool failed = is_finding(comparison.verdict);
        if (failed && canary.found++ == 0) canary.verdict = name_of(comparison.verdict);
        if (!failed && comparison.verdict != Verdict::kAgree) return;
        ++canary.judged;
        const std::vector<std::string> hit = entry_.generator->triggers_hit(c);
        if (everywhere || std::ranges::find(hit, canary.trigger) != hit.end()) ++canary.reached;
      });
  canary.cases.add(turn.state.latest.cases);
  turn.given += static_cast<std::int64_t>(batch.cases.size());
}

}  // namespace deformdiff
