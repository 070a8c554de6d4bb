#include "engine/reducer.h"

#include "core/random.h"
#include "engine/case_hash.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

namespace deformdiff {
namespace {

std::uint64_t hash_of(const Calls& calls) {
  std::uint64_t hash = calls.size();
  for (const Case& call : calls) hash = mix_bits(hash ^ content_hash(call));
  return hash;
}

/// Smaller sequences, by the steps that reduce() names.
class CallsStream {
 public:
  CallsStream(const Calls& calls, const Shrinks& shrinks) : calls_(calls), shrinks_(shrinks) {
    for (const Case& call : calls) together_.push_back(shrinks(call));
    alike_ = std::all_of(calls.begin(), calls.end(),
                         [&](const Case& call) { return content_hash(call) == content_hash(calls.back()); });
    if (calls.size() == 1) {
      steps_ = Steps::kOne;
    } else if (alike_) {
      steps_ = Steps::kTogether;
    }
  }

  std::optional<Calls> next() {
    if (steps_ == Steps::kAlike) {
      steps_ = Steps::kTogether;
      return Calls(calls_.size(), calls_.back());
    }
    if (steps_ == Steps::kTogether) {
      if (auto smaller = step_together()) return smaller;
      steps_ = Steps::kDrop;
    }
    if (steps_ == Steps::kDrop) {
      if (at_ + 1 < calls_.size()) return without(at_++);
      steps_ = Steps::kOne;
      at_ = 0;
    }
    if (alike_ && calls_.size() > 1) return std::nullopt;
    return step_one();
  }

 private:
  enum class Steps { kAlike, kTogether, kDrop, kOne };

  std::optional<Calls> step_together() {
    Calls smaller;
    for (const CaseStream& stream : together_) {
      std::optional<Case> call = stream();
      if (!call) return std::nullopt;
      smaller.push_back(std::move(*call));
    }
    return smaller;
  }

  Calls without(std::size_t dropped) const {
    Calls smaller = calls_;
    smaller.erase(smaller.begin() + static_cast<std::ptrdiff_t>(dropped));
    return smaller;
  }

  /// The failing call first, then those before it from the nearest on.
  std::optional<Calls> step_one() {
    for (; at_ < calls_.size(); ++at_, one_ = nullptr) {
      const std::size_t position = calls_.size() - 1 - at_;
      if (!one_) one_ = shrinks_(calls_[position]);
      if (std::optional<Case> call = one_()) {
        Calls smaller = calls_;
        smaller[position] = std::move(*call);
        return smaller;
      }
    }
    return std::nullopt;
  }

  const Calls calls_;
  const Shrinks& shrinks_;
  std::vector<CaseStream> together_;
  bool alike_ = false;
  Steps steps_ = Steps::kAlike;
  std::size_t at_ = 0;
  CaseStream one_;
};

class Reducer {
 public:
  Reducer(const Calls& original, const Shrinks& shrinks, const std::function<bool(const Calls&)>& still_fails,
          const ReductionBudget& budget)
      : shrinks_(shrinks), still_fails_(still_fails), budget_(budget) {
    result_.smallest = original;
    tried_.insert(hash_of(original));
  }

  Reduction run(const std::function<void(const Calls&)>& on_smaller) {
    std::size_t position = 0;
    while (const std::optional<std::size_t> found = round_from(position)) {
      position = *found;
      if (on_smaller) on_smaller(result_.smallest);
      if (spent_) break;
    }
    // Tries past the budget were made for a certificate, even if it did not come about.
    const std::int64_t total = before_round_ + in_round_;
    result_.evaluations = result_.minimal ? before_round_ : std::min(total, budget_.evaluations);
    result_.certificate_evaluations = total - result_.evaluations;
    return std::move(result_);
  }

 private:
  /// Tries the list of the smallest from `start` to its end, then from its beginning. The position of the
  /// candidate that became the smallest; nothing if there is none or the budget is spent.
  std::optional<std::size_t> round_from(std::size_t start) {
    before_round_ += in_round_;
    in_round_ = 0;
    for (const bool wrapped : {false, true}) {
      CallsStream stream(result_.smallest, shrinks_);
      for (std::size_t position = 0; !wrapped || position < start; ++position) {
        std::optional<Calls> candidate = stream.next();
        if (!candidate) break;
        if (!wrapped && position < start) continue;
        if (!tried_.insert(hash_of(*candidate)).second) continue;
        if (!may_try()) return std::nullopt;
        ++in_round_;
        if (!still_fails_(*candidate)) continue;
        spent_ = before_round_ + in_round_ >= budget_.evaluations;
        result_.smallest = std::move(*candidate);
        return position;
      }
    }
    // A candidate that the end of the run cut off was not tried.
    result_.minimal = !budget_.end.passed();
    return std::nullopt;
  }

  bool may_try() const {
    return before_round_ < budget_.evaluations &&
           before_round_ + in_round_ < budget_.evaluations + kCertificateAllowance &&
           watch_.seconds() < budget_.seconds && !budget_.end.passed();
  }

  const Shrinks& shrinks_;
  const std::function<bool(const Calls&)>& still_fails_;
  ReductionBudget budget_;
  Stopwatch watch_;
  Reduction result_;
  std::unordered_set<std::uint64_t> tried_;
  std::int64_t before_round_ = 0;  ///< evaluations up to the last success
  std::int64_t in_round_ = 0;      ///< evaluations since
  bool spent_ = false;
};

}  // namespace

Reduction reduce(const Calls& original, const Shrinks& shrinks,
                 const std::function<bool(const Calls&)>& still_fails, const ReductionBudget& budget,
                 const std::function<void(const Calls&)>& on_smaller) {
  return Reducer(original, shrinks, still_fails, budget).run(on_smaller);
}

}  // namespace deformdiff
