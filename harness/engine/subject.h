// An implementation under test: how it is started, what it says of itself, and which cases it is given.
#pragma once

#include "core/block.h"
#include "engine/runner.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace deformdiff {

/// An implementation as the command line names it.
struct SubjectSpec {
  std::string name;  ///< in reports: "cpu", or the address exactly as typed
  WorkerCommand command;
  std::function<void(SubjectInfo&)> declare;  ///< applies what the address declares; may be empty
  std::string library;                        ///< file behind the address, or empty
  MakeRunner make_runner = worker_runner;
  bool one_run = false;  ///< as in StageOptions, whatever case it is given
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

/// The same for several; their workers load side by side.
std::vector<Subject> open_subjects(std::vector<SubjectSpec> specs, const RunLimits& limits);

/// Whether case, subject and judge need at most so many bytes. 0 is no limit. Tensors' sizes alone are looked
/// at: it holds of a case if it holds of its outline.
bool fits(const SubjectInfo& info, const Block& block, const Case& c, std::int64_t memory_limit);

/// Why this subject is not given this case: it cannot run here, the case is of another block or dtype,
/// outside `supports` or its contract, or needs more bytes than `memory_limit`. Kind kUnsupported or kNotRun
/// with the reason; kReturned if it may run. `memory_limit` 0 is no limit.
Outcome admit(const SubjectInfo& info, const Block& block, const Case& c, std::int64_t memory_limit);

/// Twice where the subject promises determinism, tapped where one of the cases has stages beside its outputs.
CallMode call_mode(const SubjectInfo& info, const Block& block, std::span<const Case> cases);

}  // namespace deformdiff
