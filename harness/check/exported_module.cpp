#include "check/exported_module.h"

#include "catalog/addresses.h"
#include "catalog/external_workers.h"
#include "core/error.h"
#include "core/wire/hello.h"
#include "core/wire/module.h"
#include "engine/worker_process.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Of a Python worker, in seconds: PyTorch alone takes some to import.
constexpr double kPythonStart = 180;

/// Waits for a message; otherwise, what happened instead. `doing` says to what.
std::optional<Outcome> failure_of(WorkerProcess& worker, double seconds, const char* doing) {
  using Clock = WorkerProcess::Clock;
  const auto patience = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::string what;
  switch (worker.receive(Clock::now() + patience)) {
    case WorkerProcess::Event::kMessage:
      return std::nullopt;
    case WorkerProcess::Event::kEnded:
      what = fmt::format("{} {}", worker.describe_end(), worker.last_words());
      break;
    case WorkerProcess::Event::kNonsense:
      what = fmt::format("it wrote nonsense into the channel: {}", worker.describe_nonsense());
      break;
    case WorkerProcess::Event::kStopped:
      what = worker.describe_stop();
      break;
    case WorkerProcess::Event::kDeadline:
      return outcome_of(Outcome::Kind::kTimedOut, fmt::format("{}: no answer within {} s", doing, seconds));
  }
  return outcome_of(Outcome::Kind::kCrashed, fmt::format("{}: {}", doing, what));
}

}  // namespace

std::string_view module_mode::short_name(std::string_view mode) {
  return mode.substr(mode.find('/') + 1);
}

ExportedModule::ExportedModule(const std::filesystem::path& path, const RunLimits& limits,
                               std::vector<std::string> prefix)
    : command_(std::move(prefix)), limits_(limits), in_python_(is_python_module(path)) {
  if (!std::filesystem::exists(path)) throw InputError(fmt::format("{}: no such file", path.string()));
  const std::vector<std::string> worker_words =
      in_python_ ? python_module_command(path)
                 : std::vector<std::string>{worker_program(), "--module", path.string()};
  command_.insert(command_.end(), worker_words.begin(), worker_words.end());
  in_python_ ? load_in_python() : load_in_libtorch(path);
}

/// The worker that has loaded it goes on to run it.
void ExportedModule::load_in_python() {
  limits_.start_timeout_seconds = std::max(limits_.start_timeout_seconds, kPythonStart);
  shared_ = shared_worker({command_, module_mode::kInterpreter}, limits_);
  modes_ = {module_mode::kInterpreter, module_mode::kExecutor};
  Outcome failure;
  info_ = shared_->info(failure);
  if (failure.kind != Outcome::Kind::kNotRun) {
    load_failure_ = std::move(failure);
    return;
  }
  if (!failure.message.empty()) throw InputError(failure.message);
  environment_ = shared_->environment();
  describe(shared_->process());
}

void ExportedModule::load_in_libtorch(const std::filesystem::path& path) {
  std::optional<WorkerProcess> started;
  for (int starts = 0; starts < kWorkerStarts; ++starts) {
    lost_on_loading_ = load_failure_.message;
    started.emplace(command_, 0);
    load_failure_ = failure_of(*started, limits_.start_timeout_seconds, "on loading").value_or(Outcome{});
    if (load_failure_.kind != Outcome::Kind::kCrashed) break;
  }
  if (load_failure_.kind != Outcome::Kind::kNotRun) return;
  WorkerProcess& worker = *started;
  const wire::Hello hello = wire::decode_hello(worker.header(), worker.data());
  if (hello.refusal.find("PytorchStreamReader") != std::string::npos) {
    throw InputError(fmt::format("{}: is damaged or cut off: copy or export it again", path.string()));
  }
  if (!hello.refusal.empty()) throw InputError(hello.refusal);
  environment_ = hello.environment;
  info_ = hello.subjects.at(0);
  modes_.assign(module_mode::kAll.begin(), module_mode::kAll.end());
  describe(worker);
}

void ExportedModule::describe(WorkerProcess& worker) {
  const wire::Message request = wire::encode(wire::DescribeRequest{});
  worker.send(request);
  if (auto failure = failure_of(worker, limits_.start_timeout_seconds, "while it was looked at")) {
    load_failure_ = std::move(*failure);
    return;
  }
  description_ = wire::decode_module_description(worker.header(), worker.data());
}

Outcome ExportedModule::run(const std::string& mode, const std::vector<NamedTensor>& inputs, bool tap) {
  Case c;
  c.block = kOpaqueBlock;
  c.inputs = inputs;
  Outcome outcome = std::move(runner(mode).run({&c, 1}, {.tap = tap}).front());
  // A model that says that it cannot run here, as one with another device in its graph does, has failed. One
  // that declares the sizes that it takes has not.
  if (!in_python_ && outcome.kind == Outcome::Kind::kUnsupported) outcome.kind = Outcome::Kind::kThrew;
  return outcome;
}

void ExportedModule::restart() {
  for (auto& [mode, runner] : runners_) runner->restart();
  if (shared_) shared_->restart();
}

std::int64_t ExportedModule::workers_started() const {
  std::int64_t started = shared_ ? shared_->workers_started() : 1;  // to look at the module
  for (const auto& [mode, runner] : runners_) started += runner->workers_started();
  return started;
}

Runner& ExportedModule::runner(const std::string& mode) {
  if (in_python_) {
    shared_->choose(mode);
    return *shared_;
  }
  std::unique_ptr<Runner>& runner = runners_[mode];
  if (!runner) runner = worker_runner({command_, mode}, limits_);
  return *runner;
}

}  // namespace deformdiff
