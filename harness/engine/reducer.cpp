#include "engine/reducer.h"

#include "engine/case_hash.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_set>

namespace deformdiff {
namespace {

using Clock = std::chrono::steady_clock;

class Reducer {
 public:
  Reducer(const Case& original, const Shrinks& shrinks, const StillFails& still_fails,
          const ReductionBudget& budget)
      : shrinks_(shrinks),
        still_fails_(still_fails),
        budget_(budget),
        deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(budget.seconds))) {
    result_.smallest = original;
    tried_.insert(content_hash(original));
  }

  Reduction run(const OnSmaller& on_smaller) {
    std::size_t position = 0;
    while (const std::optional<std::size_t> found = round_from(position)) {
      position = *found;
      if (on_smaller) on_smaller(result_.smallest);
      if (spent_) break;
    }
    result_.evaluations = before_round_;
    if (result_.minimal) {
      result_.certificate_evaluations = in_round_;
    } else {
      // Tries past the budget were made for a certificate that did not come about.
      result_.evaluations = std::min(before_round_ + in_round_, budget_.evaluations);
      result_.certificate_evaluations = before_round_ + in_round_ - result_.evaluations;
    }
    return result_;
  }

 private:
  /// Tries the list of the smallest case from `start` to its end, then from its beginning. The position of
  /// the candidate that became the smallest; nothing if there is none or the budget is spent.
  std::optional<std::size_t> round_from(std::size_t start) {
    before_round_ += in_round_;
    in_round_ = 0;
    for (const bool wrapped : {false, true}) {
      const CaseStream next = shrinks_(result_.smallest);
      for (std::size_t position = 0; !wrapped || position < start; ++position) {
        std::optional<Case> candidate = next();
        if (!candidate) break;
        if (!wrapped && position < start) continue;
        if (!tried_.insert(content_hash(*candidate)).second) continue;
        if (!may_try()) return std::nullopt;
        ++in_round_;
        if (!still_fails_(*candidate)) continue;
        spent_ = before_round_ + in_round_ >= budget_.evaluations;
        result_.smallest = std::move(*candidate);
        return position;
      }
    }
    result_.minimal = true;
    return std::nullopt;
  }

  bool may_try() const {
    return before_round_ < budget_.evaluations &&
           before_round_ + in_round_ < budget_.evaluations + kCertificateAllowance &&
           Clock::now() < deadline_;
  }

  const Shrinks& shrinks_;
  const StillFails& still_fails_;
  ReductionBudget budget_;
  Clock::time_point deadline_;
  Reduction result_;
  std::unordered_set<std::uint64_t> tried_;
  std::int64_t before_round_ = 0;  ///< evaluations up to the last success
  std::int64_t in_round_ = 0;      ///< evaluations since
  bool spent_ = false;
};

}  // namespace

Reduction reduce(const Case& original, const Shrinks& shrinks, const StillFails& still_fails,
                 const ReductionBudget& budget, const OnSmaller& on_smaller) {
  return Reducer(original, shrinks, still_fails, budget).run(on_smaller);
}

}  // namespace deformdiff
