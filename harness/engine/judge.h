// One case, one subject: admitted, run, referred, compared.
#pragma once

#include "core/case_file.h"
#include "engine/catalog.h"
#include "engine/compare.h"
#include "engine/runner.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace deformdiff {

/// An implementation as the command line names it.
struct SubjectSpec {
  std::string name;  ///< in reports: "cpu", or the address exactly as typed
  WorkerCommand command;
  std::function<void(SubjectInfo&)> declare;  ///< applies what the address declares; may be empty
  std::string library;                        ///< file behind the address, or empty
};

/// A subject with its worker and what is known of it after the worker's first message.
struct Subject {
  SubjectSpec spec;
  RunLimits limits;
  SubjectInfo info;
  Outcome start_failure;  ///< kind kNotRun with an empty message if the worker started well
  std::unique_ptr<Runner> runner;

  bool started() const {
    return start_failure.kind == Outcome::Kind::kNotRun && start_failure.message.empty();
  }
};

/// Starts the worker and merges its word with the declaration. Throws InputError if the worker says that
/// there is no such subject; a worker that dies is in start_failure.
Subject open_subject(SubjectSpec spec, const RunLimits& limits);

/// Why this subject is not given this case: outside `supports` or dtypes, im2col_step, no device, memory.
/// Kind kUnsupported or kNotRun with the reason; kReturned if it may run. `memory_limit` 0 is no limit.
Outcome admit(const SubjectInfo& info, const BlockEntry& entry, const Case& c, std::int64_t memory_limit);

/// Twice where the subject promises determinism, tapped where the block has stages.
CallMode call_mode(const SubjectInfo& info, const BlockEntry& entry);

struct Judgement {
  Outcome outcome;
  Comparison comparison;
  Signature signature;  ///< meaningful if is_finding(comparison.verdict)
};

/// Runs and judges one case. With `earlier`, a fresh worker makes those calls first, in order; without, the
/// present worker is used (restart the runner before to have a fresh one).
Judgement judge_case(Subject& subject, const BlockEntry& entry, const Case& c, std::span<const Case> earlier,
                     int threads, std::int64_t memory_limit);

/// The same in the present worker, whatever calls it was given before `earlier`.
Judgement judge_case_here(Subject& subject, const BlockEntry& entry, const Case& c,
                          std::span<const Case> earlier, int threads, std::int64_t memory_limit);

/// Identity of a finding.
Signature signature_of(const BlockEntry& entry, const std::string& subject, const Case& c,
                       const Comparison& comparison);

/// Whether the comparison shows this failure: the same rule and output, and the element class either of the
/// element to blame or of another that violates the rule. Shrinking moves the worst element about.
bool shows(const BlockEntry& entry, const Signature& signature, const Case& c, const Comparison& comparison);

}  // namespace deformdiff
