#include "generators/staged/shrinks.h"

#include "generators/staged/steps.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace deformdiff {
namespace {

StagedSteps steps_of(const StagedDraft& draft) {
  StagedSteps steps;
  add_large_structure_steps(draft, steps);
  add_plainness_steps(draft, steps);
  add_constant_steps(draft, steps);
  add_trims(draft, steps);
  add_layout_steps(draft, steps);
  add_rounding_steps(draft, steps);
  add_chunks(draft, steps, false);
  add_drops(draft, steps);
  add_chunks(draft, steps, true);
  add_single_roundings(draft, steps);
  return steps;
}

/// The candidates of the steps, one after the other.
class Candidates {
 public:
  Candidates(const BlockDefinition& block, const Case& c)
      : original_(std::make_shared<const Case>(c)),
        draft_(std::make_shared<const StagedDraft>(draft_of(block, c))),
        steps_(std::make_shared<const StagedSteps>(steps_of(*draft_))) {}

  rc::Maybe<Case> operator()() {
    while (step_ < steps_->size()) {
      const StagedStep& step = (*steps_)[step_];
      if (next_ >= step.count) {
        ++step_;
        next_ = 0;
        continue;
      }
      const std::optional<StagedDraft> smaller = step.make(*draft_, next_++);
      if (!smaller) continue;
      Case candidate = case_of(*smaller);
      if (is_wanted(candidate)) return candidate;
    }
    return rc::Nothing;
  }

 private:
  /// Valid, and another case: with a repeated axis an element may not be free to change.
  bool is_wanted(const Case& candidate) const {
    try {
      draft_->block->validate(candidate);
    } catch (const InputError&) {
      return false;
    }
    return draft_->layouts.empty() || !(candidate == *original_);
  }

  std::shared_ptr<const Case> original_;
  std::shared_ptr<const StagedDraft> draft_;
  std::shared_ptr<const StagedSteps> steps_;
  std::size_t step_ = 0;
  std::int64_t next_ = 0;
};

}  // namespace

rc::Seq<Case> staged_shrinks(const BlockDefinition& block, const Case& c) {
  return rc::makeSeq<Candidates>(block, c);
}

Shrinks staged_shrink_stream(const BlockDefinition& block) {
  return [&block](const Case& c) -> CaseStream {
    return [seq = staged_shrinks(block, c)]() mutable -> std::optional<Case> {
      rc::Maybe<Case> next = seq.next();
      if (!next) return std::nullopt;
      return std::move(*next);
    };
  };
}

}  // namespace deformdiff
