#include "engine/judge.h"

#include "engine/references.h"
#include "engine/signature.h"
#include "engine/stage_judge.h"

#include <utility>
#include <vector>

namespace deformdiff {

Outcome run_case(Subject& subject, const Block& block, const Case& c, std::span<const Case> earlier,
                 std::int64_t memory_limit, const std::function<void()>& meanwhile) {
  if (!subject.started()) return subject.start_failure;
  Outcome admitted = admit(subject.info, block, c, memory_limit);
  if (admitted.kind != Outcome::Kind::kReturned) return admitted;
  std::vector<Case> calls(earlier.begin(), earlier.end());
  calls.push_back(c);
  subject.runner->start(calls, call_mode(subject.info, block, calls));
  if (meanwhile) meanwhile();
  std::vector<Outcome> outcomes = subject.runner->finish();
  if (outcomes.size() < calls.size()) return outcome_of(Outcome::Kind::kNotRun, "the time was up");
  return std::move(outcomes.back());
}

Judgement judge_case(Subject& subject, const BlockEntry& entry, const Case& c, std::span<const Case> earlier,
                     const JudgeOptions& options) {
  if (!earlier.empty()) subject.runner->restart();
  return judge_case_here(subject, entry, c, earlier, options);
}

Judgement judge_case_here(Subject& subject, const BlockEntry& entry, const Case& c,
                          std::span<const Case> earlier, const JudgeOptions& options) {
  References references(entry, {&c, 1});
  StageOptions stage_options{
      .threads = options.threads, .one_run = subject.spec.one_run, .has_failed = options.has_failed};
  Judgement judgement;
  judgement.outcome = run_case(subject, *entry.block, c, earlier, options.memory_limit, [&] {
    references.need(0, subject.info);
    references.evaluate(options.threads);
    stage_options.shared = &references.of(0, subject.info);
  });
  judgement.comparison = judge_stages(entry, c, judgement.outcome, subject.info, stage_options).comparison;
  judgement.signature = signature_of(entry.block->name(), subject.spec.name, judgement.comparison);
  return judgement;
}

}  // namespace deformdiff
