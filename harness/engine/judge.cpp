#include "engine/judge.h"

#include "core/conditions.h"
#include "engine/stage_judge.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

Outcome refusal(Outcome::Kind kind, std::string reason) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.message = std::move(reason);
  return outcome;
}

bool has_element(Verdict verdict) {
  return verdict == Verdict::kOutOfBound || verdict == Verdict::kNonfiniteMismatch ||
         verdict == Verdict::kUnwrittenOutput;
}

/// Stages have one class of elements at a time; blocks that are judged as a whole know each element's.
std::string class_of(const BlockEntry& entry, const Case& c, const Comparison& comparison,
                     std::int64_t element) {
  if (entry.has_stages()) return comparison.element_class.empty() ? "structure" : comparison.element_class;
  return entry.oracle->element_class(c, comparison.output, element);
}

}  // namespace

Subject open_subject(SubjectSpec spec, const RunLimits& limits) {
  Subject subject;
  subject.limits = limits;
  subject.runner = std::make_unique<Runner>(spec.command, limits);
  subject.info = subject.runner->info(subject.start_failure);
  // A library that loads but is not what the address says, or cannot be loaded: the address is wrong.
  if (subject.start_failure.kind == Outcome::Kind::kNotRun && !subject.start_failure.message.empty()) {
    throw InputError(fmt::format("subject '{}': {}", spec.name, subject.start_failure.message));
  }
  subject.info.name = spec.name;
  if (spec.declare) spec.declare(subject.info);
  subject.spec = std::move(spec);
  return subject;
}

Outcome admit(const SubjectInfo& info, const BlockEntry& entry, const Case& c, std::int64_t memory_limit) {
  if (!info.not_run.empty()) return refusal(Outcome::Kind::kNotRun, info.not_run);
  if (!info.blocks.contains(c.block)) return refusal(Outcome::Kind::kUnsupported, "block " + c.block);
  const DType dtype = entry.block->compute_dtype(c);
  if (!info.dtypes.contains(dtype)) {
    return refusal(Outcome::Kind::kUnsupported, std::string(name_of(dtype)));
  }
  if (!info.supports.empty()) {
    const std::string violated = first_violated(info.supports, entry.block->dimensions(c));
    if (!violated.empty()) return refusal(Outcome::Kind::kUnsupported, "needs " + violated);
  }
  const std::string outside = entry.block->outside_contract(c, info.contract);
  if (!outside.empty()) return refusal(Outcome::Kind::kUnsupported, outside);
  // A stage's oracle needs little beside the values of all stages, which the block's working memory counts
  // twice.
  const std::int64_t oracle = entry.has_stages() ? 0 : entry.oracle->memory(c);
  const std::int64_t needed = storage_bytes(c) + oracle + entry.block->working_memory(c);
  if (memory_limit > 0 && needed > memory_limit) return refusal(Outcome::Kind::kNotRun, "memory");
  return refusal(Outcome::Kind::kReturned, "");
}

CallMode call_mode(const SubjectInfo& info, const BlockEntry& entry) {
  return {.twice = info.contract.deterministic == Deterministic::kYes, .tap = entry.has_stages()};
}

Judgement judge_case(Subject& subject, const BlockEntry& entry, const Case& c, std::span<const Case> earlier,
                     int threads, std::int64_t memory_limit) {
  if (!earlier.empty()) subject.runner->restart();
  return judge_case_here(subject, entry, c, earlier, threads, memory_limit);
}

Judgement judge_case_here(Subject& subject, const BlockEntry& entry, const Case& c,
                          std::span<const Case> earlier, int threads, std::int64_t memory_limit) {
  Judgement judgement;
  judgement.outcome = subject.started() ? admit(subject.info, entry, c, memory_limit) : subject.start_failure;
  Reference reference;
  if (judgement.outcome.kind == Outcome::Kind::kReturned) {
    std::vector<Case> calls(earlier.begin(), earlier.end());
    calls.push_back(c);
    subject.runner->start(calls, call_mode(subject.info, entry));
    if (!entry.has_stages()) {
      reference = entry.oracle->evaluate(c, subject.info.precision, subject.info.contract, threads);
    }
    judgement.outcome = std::move(subject.runner->finish().back());
  }
  judgement.comparison =
      entry.has_stages()
          ? judge_stages(entry, c, judgement.outcome, subject.info, {.threads = threads}).comparison
          : compare(judgement.outcome, reference, subject.info.contract);
  judgement.signature = signature_of(entry, subject.spec.name, c, judgement.comparison);
  return judgement;
}

Signature signature_of(const BlockEntry& entry, const std::string& subject, const Case& c,
                       const Comparison& comparison) {
  Signature signature;
  signature.block = entry.block->name();
  signature.subject = subject;
  signature.rule = name_of(comparison.verdict);
  signature.output = entry.has_stages() ? stage_family(comparison.output) : comparison.output;
  signature.element_class = "structure";
  if (has_element(comparison.verdict) && comparison.element >= 0) {
    signature.element_class = class_of(entry, c, comparison, comparison.element);
  }
  return signature;
}

bool shows(const BlockEntry& entry, const Signature& signature, const Case& c, const Comparison& comparison) {
  const std::string output = entry.has_stages() ? stage_family(comparison.output) : comparison.output;
  if (signature.rule != name_of(comparison.verdict) || signature.output != output) return false;
  if (!has_element(comparison.verdict) || comparison.violating.empty()) {
    return signature.element_class == "structure";
  }
  const auto has_class = [&](std::int64_t element) {
    return class_of(entry, c, comparison, element) == signature.element_class;
  };
  // Only the first of many violating elements are listed: the one to blame may lie behind them.
  if (comparison.element >= 0 && has_class(comparison.element)) return true;
  return std::any_of(comparison.violating.begin(), comparison.violating.end(), has_class);
}

}  // namespace deformdiff
