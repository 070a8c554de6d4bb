#include "engine/subject.h"

#include "core/conditions.h"
#include "core/error.h"
#include "core/mixed_types.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Whether stages compute what is no output: to see it, the subject is asked for its values on the way.
bool has_inner_stages(const Block& block, const Case& c) {
  const std::vector<OutputSpec> outputs = block.outputs(c);
  return std::ranges::any_of(block.stages(c), [&](const Stage& stage) {
    return std::ranges::find(outputs, stage.name, &OutputSpec::stage) == outputs.end();
  });
}

Subject open_with(std::unique_ptr<Runner> runner, SubjectSpec spec, const RunLimits& limits) {
  Subject subject;
  subject.limits = limits;
  subject.runner = std::move(runner);
  subject.info = subject.runner->info(subject.start_failure);
  // A library that loads but is not what the address says, or cannot be loaded: the address is wrong.
  const Outcome& failure = subject.start_failure;
  if (failure.kind == Outcome::Kind::kNotRun && !failure.message.empty() && !limits.end.passed()) {
    throw InputError(fmt::format("subject '{}': {}", spec.name, subject.start_failure.message));
  }
  subject.info.name = spec.name;
  if (spec.declare) spec.declare(subject.info);
  subject.spec = std::move(spec);
  return subject;
}

}  // namespace

Subject open_subject(SubjectSpec spec, const RunLimits& limits) {
  std::unique_ptr<Runner> runner = spec.make_runner(spec.command, limits);
  return open_with(std::move(runner), std::move(spec), limits);
}

std::vector<Subject> open_subjects(std::vector<SubjectSpec> specs, const RunLimits& limits) {
  std::vector<std::unique_ptr<Runner>> runners;
  for (const SubjectSpec& spec : specs) {
    runners.push_back(spec.make_runner(spec.command, limits));
    runners.back()->prepare();
  }
  std::vector<Subject> subjects;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    subjects.push_back(open_with(std::move(runners[i]), std::move(specs[i]), limits));
  }
  return subjects;
}

bool fits(const SubjectInfo& info, const Block& block, const Case& c, std::int64_t memory_limit) {
  const std::int64_t inputs = std::max(storage_bytes(c), dense_bytes(c));
  return memory_limit <= 0 || inputs + block.working_memory(c, info.precision) <= memory_limit;
}

Outcome admit(const SubjectInfo& info, const Block& block, const Case& c, std::int64_t memory_limit) {
  if (!info.not_run.empty()) return outcome_of(Outcome::Kind::kNotRun, info.not_run);
  if (!info.blocks.contains(c.block)) return outcome_of(Outcome::Kind::kUnsupported, "block " + c.block);
  const DType dtype = block.compute_dtype(c);
  const bool mixed = mixed_dtype(c).has_value();
  if (!(mixed ? info.mixed_dtypes : info.dtypes).contains(dtype)) {
    return outcome_of(Outcome::Kind::kUnsupported,
                      mixed ? mixed_name_of(dtype) : std::string(name_of(dtype)));
  }
  if (!info.supports.empty()) {
    const std::string violated = first_violated(info.supports, block.dimensions(c));
    if (!violated.empty()) return outcome_of(Outcome::Kind::kUnsupported, "needs " + violated);
  }
  const std::string outside = block.outside_contract(c, info.contract);
  if (!outside.empty()) return outcome_of(Outcome::Kind::kUnsupported, outside);
  if (!fits(info, block, c, memory_limit)) return outcome_of(Outcome::Kind::kNotRun, "memory");
  return outcome_of(Outcome::Kind::kReturned, "");
}

CallMode call_mode(const SubjectInfo& info, const Block& block, std::span<const Case> cases) {
  const std::vector<std::string> outputs = block.output_names();
  const bool tap = std::ranges::any_of(cases, [&](const Case& c) { return has_inner_stages(block, c); });
  return {
      .twice = std::ranges::any_of(outputs, [&](const auto& each) { return info.contract.repeats(each); }),
      .tap = tap,
      // A model is made of operators: what its calls share is theirs.
      .at_once = info.calls == Concurrency::kAtOnce && !tap,
      .packed = !tap};
}

}  // namespace deformdiff
