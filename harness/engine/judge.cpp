#include "engine/judge.h"

#include "engine/references.h"
#include "engine/signature.h"
#include "engine/stage_judge.h"

#include <utility>
#include <vector>

namespace deformdiff {

Judgement judge_case(Subject& subject, const BlockEntry& entry, const Case& c, std::span<const Case> earlier,
                     int threads, std::int64_t memory_limit) {
  if (!earlier.empty()) subject.runner->restart();
  return judge_case_here(subject, entry, c, earlier, threads, memory_limit);
}

Judgement judge_case_here(Subject& subject, const BlockEntry& entry, const Case& c,
                          std::span<const Case> earlier, int threads, std::int64_t memory_limit) {
  Judgement judgement;
  judgement.outcome =
      subject.started() ? admit(subject.info, *entry.block, c, memory_limit) : subject.start_failure;
  References references(entry, {&c, 1});
  StageOptions options{.threads = threads};
  if (judgement.outcome.kind == Outcome::Kind::kReturned) {
    std::vector<Case> calls(earlier.begin(), earlier.end());
    calls.push_back(c);
    subject.runner->start(calls, call_mode(subject.info, *entry.block, calls));
    references.need(0, subject.info);
    references.evaluate(threads);
    options.shared = &references.of(0, subject.info);
    judgement.outcome = std::move(subject.runner->finish().back());
  }
  judgement.comparison = judge_stages(entry, c, judgement.outcome, subject.info, options).comparison;
  judgement.signature = signature_of(entry.block->name(), subject.spec.name, judgement.comparison);
  return judgement;
}

}  // namespace deformdiff
