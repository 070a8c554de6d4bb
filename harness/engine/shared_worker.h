// One worker process that is asked for several of its subjects and for other things, where starting it is
// dear.
#pragma once

#include "engine/runner.h"
#include "engine/worker_process.h"

#include <memory>
#include <string>

namespace deformdiff {

class SharedWorker : public Runner {
 public:
  /// The next calls go to this subject, which the worker must know.
  virtual void choose(const std::string& subject) = 0;

  /// For requests that are no calls, each with its answer. Requires that info() has come back without a
  /// failure and that nothing has been run.
  virtual WorkerProcess& process() = 0;
};

/// As worker_runner(); the command's subject is the first that is asked for.
std::unique_ptr<SharedWorker> shared_worker(const WorkerCommand& command, const RunLimits& limits);

}  // namespace deformdiff
