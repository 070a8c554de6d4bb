// deformdiff-worker: runs implementations on cases that deformdiff sends it, in a process of their own.
#include "core/wire/fork.h"
#include "core/wire/hello.h"
#include "core/wire/module.h"
#include "core/wire/run.h"
#include "faults/faults.h"
#include "subjects/subjects.h"
#include "subjects/tracing/module_process.h"
#include "worker/channel.h"
#include "worker/executor.h"
#include "worker/fork_server.h"
#include "worker/guarded_allocator.h"
#include "worker/module/describe.h"
#include "worker/module/loader.h"
#include "worker/module/subject.h"
#include "worker/operator_library.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

namespace {

using namespace deformdiff;

struct Options {
  bool faults = false;
  std::string fault;      ///< its name, or empty
  std::string operators;  ///< FILE.so#ns, or empty
  std::string module;     ///< FILE.pt, or empty
  std::string device = "cpu";
  int threads = 1;
  bool serve_saved_modules = false;
};

/// `words` without the program's name.
Options parse_options(std::vector<std::string> words) {
  Options options;
  CLI::App app("Runs implementations for deformdiff, which starts it; not for use by hand.");
  app.add_flag("--faults", options.faults, "Serve the faults too");
  app.add_option("--fault", options.fault, "Serve this fault alone, which may be one made to measure");
  app.add_option("--operator", options.operators, "Serve FILE.so#namespace alone");
  app.add_option("--module", options.module, "Serve the TorchScript module FILE.pt alone");
  app.add_option("--device", options.device, "Where the operator runs")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--threads", options.threads, "Threads of LibTorch")->check(CLI::PositiveNumber);
  app.add_flag(worker::kServeSavedModules, options.serve_saved_modules,
               "Load and run modules for another worker");
  try {
    std::ranges::reverse(words);  // as CLI11 wants them
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

/// The subjects to serve, and what the parent is told first.
struct Service {
  worker::SubjectList subjects;
  std::string file;  ///< of the module
  std::optional<torch::jit::Module> module;
  wire::Hello hello;
};

void serve_fault(const Options& options, Service& service) {
  if (auto fault = worker::fault_by_name(options.fault)) {
    service.subjects.push_back(std::move(fault));
  } else {
    service.hello.refusal = fmt::format("there is no fault {}", options.fault);
  }
}

void serve_module(const Options& options, Service& service) {
  auto loaded = worker::load_module(options.module);
  if (auto* module = std::get_if<torch::jit::Module>(&loaded)) {
    service.file = options.module;
    service.module = *module;
    service.subjects = worker::module_subjects(*module);
  } else {
    service.hello.refusal = std::get<std::string>(loaded);
  }
}

void serve_operators(const Options& options, Service& service) {
  auto loaded = worker::load_operators(options.operators, options.device);
  if (auto* subjects = std::get_if<worker::SubjectList>(&loaded)) {
    service.subjects = std::move(*subjects);
  } else {
    service.hello.refusal = std::get<std::string>(loaded);
  }
}

Service open_service(const Options& options) {
  Service service;
  if (!options.fault.empty()) {
    serve_fault(options, service);
  } else if (!options.module.empty()) {
    serve_module(options, service);
  } else if (!options.operators.empty()) {
    serve_operators(options, service);
  } else {
    service.subjects = worker::builtin_subjects();
    if (options.faults) {
      for (auto& fault : worker::fault_subjects()) service.subjects.push_back(std::move(fault));
    }
  }
  for (const auto& subject : service.subjects) service.hello.subjects.push_back(subject->info());
  service.hello.environment = {{"libtorch", TORCH_VERSION},
                               {"cpu_capability", at::get_cpu_capability()},
                               {"threads", fmt::format("{}", at::get_num_threads())}};
  return service;
}

void answer(worker::Channel& channel, Service& service, worker::Executor& executor) {
  if (service.module && wire::kind_of_message(channel.header(), channel.data()) == "describe") {
    channel.send(wire::encode(worker::describe(*service.module, service.file)));
    return;
  }
  const wire::RunRequest request = wire::decode_run_request(channel.header(), channel.data());
  const auto& infos = service.hello.subjects;
  const auto info = std::find_if(infos.begin(), infos.end(),
                                 [&](const SubjectInfo& each) { return each.name == request.subject; });
  const bool known = info != infos.end();
  const c10::Device device(known ? info->device : "cpu");
  for (std::size_t position = 0; position < request.cases.size(); ++position) {
    wire::RunResult result{position, {}};
    if (!known) {
      result.outcome.message = fmt::format("this worker has no subject {}", request.subject);
    } else {
      worker::Subject& subject = *service.subjects[static_cast<std::size_t>(info - infos.begin())];
      const auto send_ahead = [&](std::vector<NamedTensor> stages) {
        wire::RunResult ahead{position, {}, true};
        ahead.outcome.stages = std::move(stages);
        channel.send(wire::encode(ahead));
      };
      result.outcome = executor.execute(subject, device, request.cases[position], request.mode, send_ahead);
    }
    channel.send(wire::encode(result));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{wire::kForkServer}) words = worker::serve_forks();
  const Options options = parse_options(std::move(words));
  try {
    worker::GuardedAllocator::instance();
    at::set_num_threads(options.threads);
    if (options.serve_saved_modules) {
      worker::serve_saved_modules();
      ::_exit(0);
    }
    worker::Channel channel;
    channel.end_with_parent();
    Service service = open_service(options);
    channel.send(wire::encode(service.hello));
    worker::Executor executor;
    while (channel.receive()) answer(channel, service, executor);
  } catch (const InputError& error) {
    fmt::print(stderr, "deformdiff-worker: {}\n", error.what());
    std::fflush(stderr);
    ::_exit(2);
  } catch (const std::exception& error) {
    fmt::print(stderr, "deformdiff-worker: {}\n", error.what());
    std::fflush(stderr);
    ::_exit(3);
  }
  // What libraries do at exit is of no interest, and has been known to hang.
  ::_exit(0);
}
