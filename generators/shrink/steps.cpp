#include "generators/shrink/steps.h"

#include <memory>
#include <utility>

namespace deformdiff {
namespace {

class Candidates {
 public:
  Candidates(Draft draft, Steps steps)
      : original_(std::make_shared<const Case>(case_of(draft))),
        draft_(std::make_shared<const Draft>(std::move(draft))),
        steps_(std::make_shared<const Steps>(std::move(steps))) {}

  std::optional<Case> operator()() {
    while (step_ < steps_->size()) {
      const Step& step = (*steps_)[step_];
      if (next_ >= step.count) {
        ++step_;
        next_ = 0;
        continue;
      }
      const std::optional<Draft> smaller = step.make(*draft_, next_++);
      if (!smaller) continue;
      Case candidate = case_of(*smaller);
      if (is_wanted(candidate)) return candidate;
    }
    return std::nullopt;
  }

 private:
  bool is_wanted(const Case& candidate) const {
    if (!is_valid(*draft_->block, candidate)) return false;
    return draft_->storage_layouts.empty() || !(candidate == *original_);
  }

  std::shared_ptr<const Case> original_;
  std::shared_ptr<const Draft> draft_;
  std::shared_ptr<const Steps> steps_;
  std::size_t step_ = 0;
  std::int64_t next_ = 0;
};

}  // namespace

CaseStream candidates(Draft draft, Steps steps) {
  return Candidates(std::move(draft), std::move(steps));
}

}  // namespace deformdiff
