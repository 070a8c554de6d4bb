// One case, one subject: admitted, run, referred, compared.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/case_file.h"
#include "engine/catalog.h"
#include "engine/compare.h"
#include "engine/runner.h"

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
  SubjectInfo info;
  Outcome start_failure;  ///< kind kNotRun with an empty message if the worker started well
  std::unique_ptr<Runner> runner;
};

/// Starts the worker and merges its word with the declaration.
Subject open_subject(SubjectSpec spec, const RunLimits& limits);

/// Why this subject is not given this case: outside `supports` or dtypes, im2col_step, no device, memory.
/// Kind kUnsupported or kNotRun with the reason; kReturned if it may run.
Outcome admit(const SubjectInfo& info, const BlockEntry& entry, const Case& c, std::int64_t memory_limit);

struct Judgement {
  Outcome outcome;
  Comparison comparison;
  Signature signature;  ///< meaningful if is_finding(comparison.verdict)
};

/// Runs and judges one case; `earlier` is called first, in order, in the same (fresh) worker.
Judgement judge_case(Subject& subject, const BlockEntry& entry, const Case& c,
                     std::span<const Case> earlier, int threads, std::int64_t memory_limit);

/// Identity of a finding.
Signature signature_of(const BlockEntry& entry, const std::string& subject, const Case& c,
                       const Comparison& comparison);

}  // namespace deformdiff
