#include "cli/check/exported_module.h"

#include "cli/addresses.h"
#include "core/error.h"
#include "core/wire.h"
#include "engine/worker_process.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr std::chrono::seconds kStartTimeout{60};

std::vector<std::string> command_for(const std::filesystem::path& path) {
  return {worker_program(), "--module", path.string()};
}

Outcome crashed(std::string message) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kCrashed;
  outcome.message = std::move(message);
  return outcome;
}

}  // namespace

ExportedModule::ExportedModule(std::filesystem::path path, const RunLimits& limits)
    : path_(std::move(path)), limits_(limits) {
  if (!std::filesystem::exists(path_)) throw InputError(fmt::format("{}: no such file", path_.string()));
  WorkerProcess worker(command_for(path_), 0);
  const auto deadline = WorkerProcess::Clock::now() + kStartTimeout;
  if (worker.receive(deadline) != WorkerProcess::Event::kMessage) {
    load_failure_ = crashed(fmt::format("on loading: {} {}", worker.describe_end(), worker.last_words()));
    return;
  }
  const wire::Hello hello = wire::decode_hello(worker.header(), worker.data());
  if (hello.refusal.find("PytorchStreamReader") != std::string::npos) {
    throw InputError(fmt::format("{}: is damaged or cut off: copy or export it again", path_.string()));
  }
  if (!hello.refusal.empty()) throw InputError(hello.refusal);
  environment_ = hello.environment;
  const wire::Message request = wire::encode(wire::DescribeRequest{});
  worker.send(request);
  if (worker.receive(deadline) != WorkerProcess::Event::kMessage) {
    load_failure_ = crashed(fmt::format("while it was looked at: {}", worker.describe_end()));
    return;
  }
  description_ = wire::decode_module_description(worker.header(), worker.data());
}

Outcome ExportedModule::run(const std::string& mode, const std::vector<NamedTensor>& inputs, bool tap) {
  Case c;
  c.block = kOpaqueBlock;
  c.inputs = inputs;
  Outcome outcome = std::move(runner(mode).run({&c, 1}, {.tap = tap}).front());
  // A model that says that it cannot run here, as one with another device in its graph does, has failed.
  if (outcome.kind == Outcome::Kind::kUnsupported) outcome.kind = Outcome::Kind::kThrew;
  return outcome;
}

Runner& ExportedModule::runner(const std::string& mode) {
  const auto known = runners_.find(mode);
  if (known != runners_.end()) return known->second;
  return runners_.emplace(mode, Runner(WorkerCommand{command_for(path_), mode}, limits_)).first->second;
}

}  // namespace deformdiff::cli
