// One subject behind a process boundary: cases in, outcomes out, whatever the subject does.
#pragma once

#include "core/case.h"
#include "core/outcome.h"
#include "core/subject_info.h"
#include "engine/deadline.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace deformdiff {

/// How to start a worker, and the name by which it knows the subject.
struct WorkerCommand {
  std::vector<std::string> argv;
  std::string subject;
};

/// Tries to start a worker before it counts as one that does not start.
constexpr int kWorkerStarts = 3;

/// What every case may take, in seconds, where no limit is stated.
constexpr double kCaseTimeout = 30;

struct RunLimits {
  std::optional<double> case_timeout_seconds{};  ///< as the user states it; see case_timeout()
  double start_timeout_seconds = 60;
  std::int64_t memory_bytes = 0;  ///< of data that a worker may allocate; 0 for no limit
  Deadline end{};                 ///< of the run: what has no outcome by then gets none
};

/// How long the case may take, in seconds. Where that is not stated a larger case may take longer: an
/// interpreter is slow, but it does not hang. So may the first call of a worker, which may have to compile.
double case_timeout(const RunLimits& limits, const Case& c, bool first_call);

/// Every case given gets an outcome, unless the run ends before. Not thread-safe; workers of different
/// runners run concurrently.
class Runner {
 public:
  virtual ~Runner() = default;  ///< ends the worker

  /// Starts the worker, if there is none, and does not wait for what it says.
  virtual void prepare() {}

  /// What the worker says of the subject; starts it if needed. If it dies, hangs or writes nonsense before
  /// its first message, whenever it is tried, the returned name is empty and `failure` says what happened.
  virtual SubjectInfo info(Outcome& failure) = 0;

  /// The worker's environment, from its first message; empty before that.
  virtual const std::map<std::string, std::string>& environment() const = 0;

  /// Gives the worker a batch and returns at once; finish() waits for the outcomes, one a case. A case
  /// during which the worker died or was stopped gets that as its outcome, if a signal that others send was
  /// the reason only when it happens again in a fresh worker, which Outcome::lost_worker tells; the rest goes
  /// to a fresh worker. At the end of the run finish() takes what the worker has ready, ends it, and returns
  /// the outcomes up to there; the last is kNotRun if its case had been running for a while.
  virtual void start(std::span<const Case> cases, CallMode mode) = 0;
  virtual std::vector<Outcome> finish() = 0;

  std::vector<Outcome> run(std::span<const Case> cases, CallMode mode) {
    start(cases, mode);
    return finish();
  }

  /// Ends the worker; the next call gets a fresh one.
  virtual void restart() = 0;

  /// By this runner, since it was made.
  virtual std::int64_t workers_started() const = 0;
};

/// At most one worker process, started on first use, kept across cases, killed on a timeout and replaced
/// after a crash.
std::unique_ptr<Runner> worker_runner(const WorkerCommand& command, const RunLimits& limits);

/// worker_runner(), or what stands for it in tests.
using MakeRunner = std::function<std::unique_ptr<Runner>(const WorkerCommand&, const RunLimits&)>;

}  // namespace deformdiff
