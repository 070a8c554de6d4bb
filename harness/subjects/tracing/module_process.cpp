#include "subjects/tracing/module_process.h"

#include "core/file_descriptor.h"
#include "core/files.h"
#include "subjects/gradients.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <spawn.h>
#include <sstream>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/serialization/pickle.h>

namespace deformdiff::worker {
namespace {

enum class Answer : std::uint8_t { kResult, kThrew };

/// Its size, as 8 bytes, and the text itself.
bool write_text(int descriptor, std::string_view text) {
  const std::uint64_t size = text.size();
  return write_all(descriptor, &size, sizeof size) && write_all(descriptor, text.data(), text.size());
}

bool read_text(int descriptor, std::string& text) {
  std::uint64_t size = 0;
  if (!read_all(descriptor, &size, sizeof size)) return false;
  text.resize(size);
  return read_all(descriptor, text.data(), text.size());
}

std::string pickled(const c10::IValue& value) {
  const std::vector<char> bytes = torch::jit::pickle_save(value);
  return {bytes.begin(), bytes.end()};
}

c10::IValue unpickled(const std::string& text) {
  return torch::jit::pickle_load({text.begin(), text.end()});
}

struct Pipe {
  Pipe() {
    int ends[2];
    TORCH_CHECK(::pipe2(ends, O_CLOEXEC) == 0, "no pipe for another process: ", std::strerror(errno));
    read = FileDescriptor(ends[0]);
    write = FileDescriptor(ends[1]);
  }
  FileDescriptor read, write;
};

class ModuleProcess {
 public:
  ModuleProcess() {
    // A write to a process that has ended must be an error, not the end of this one.
    std::signal(SIGPIPE, SIG_IGN);
    const std::string worker = worker_path();
    const std::string threads = std::to_string(at::get_num_threads());
    const std::array<const char*, 5> words{worker.c_str(), kServeSavedModules, "--threads", threads.c_str(),
                                           nullptr};
    Pipe to, from;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to.read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from.write.get(), STDOUT_FILENO);
    const int error = ::posix_spawn(&pid_, worker.c_str(), &actions, nullptr,
                                    const_cast<char* const*>(words.data()), environ);
    posix_spawn_file_actions_destroy(&actions);
    TORCH_CHECK(error == 0, worker, " cannot be started: ", std::strerror(error));
    to_ = std::move(to.write);
    from_ = std::move(from.read);
  }

  ~ModuleProcess() {
    to_.reset();
    from_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  ModuleProcess(const ModuleProcess&) = delete;
  ModuleProcess& operator=(const ModuleProcess&) = delete;

  /// What came of the request, or nothing if the process ended.
  std::optional<c10::IValue> run(const std::string& saved_module, const c10::IValue& request) {
    Answer answer{};
    std::string text;
    const bool done = write_text(to_.get(), saved_module) && write_text(to_.get(), pickled(request)) &&
                      read_all(from_.get(), &answer, sizeof answer) && read_text(from_.get(), text);
    if (!done) return std::nullopt;
    TORCH_CHECK(answer == Answer::kResult, text);
    return unpickled(text);
  }

 private:
  pid_t pid_ = -1;
  FileDescriptor to_, from_;
};

// A request is a tuple of the inputs and of the gradient of the first output, or None where the outputs
// themselves are asked for.

c10::IValue request_of(std::vector<c10::IValue> inputs, const c10::IValue& grad_output) {
  return c10::ivalue::Tuple::create({c10::ivalue::Tuple::create(std::move(inputs)), grad_output});
}

/// Without optimisation: what is judged is what was saved, and it costs less than compiling it.
c10::IValue loaded_and_run(const std::string& saved_module, const c10::IValue& request) {
  const at::NoGradGuard no_grad;
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  std::istringstream file(saved_module);
  torch::jit::Module module = torch::jit::load(file);
  const std::vector<c10::IValue> inputs = request.toTupleRef().elements()[0].toTupleRef().elements().vec();
  const c10::IValue& grad_output = request.toTupleRef().elements()[1];
  if (grad_output.isNone()) return module.forward(inputs);
  const auto first_output = [&](const std::vector<at::Tensor>& tensors) {
    return module.forward({tensors.begin(), tensors.end()}).toTupleRef().elements()[0].toTensor();
  };
  std::vector<at::Tensor> tensors;
  tensors.reserve(inputs.size());
  for (const c10::IValue& input : inputs) tensors.push_back(input.toTensor());
  return gradients(first_output, tensors, grad_output.toTensor());
}

c10::IValue answer_of_other_process(const std::string& saved_module, const c10::IValue& request) {
  static std::unique_ptr<ModuleProcess> process;
  if (!process) process = std::make_unique<ModuleProcess>();
  std::optional<c10::IValue> result = process->run(saved_module, request);
  if (!result) {
    process.reset();
    TORCH_CHECK(false, "the process that loaded the saved module ended before it answered");
  }
  return std::move(*result);
}

}  // namespace

c10::IValue run_in_other_process(const std::string& saved_module, const std::vector<c10::IValue>& inputs) {
  return answer_of_other_process(saved_module, request_of(inputs, {}));
}

std::vector<at::Tensor> gradients_in_other_process(const std::string& saved_module,
                                                   const std::vector<at::Tensor>& inputs,
                                                   const at::Tensor& grad_output) {
  return answer_of_other_process(saved_module, request_of({inputs.begin(), inputs.end()}, grad_output))
      .toTensorVector();
}

void serve_saved_modules() {
  // What libraries print must not stand between the answers.
  const int output = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  TORCH_CHECK(output >= 0 && ::dup2(STDERR_FILENO, STDOUT_FILENO) >= 0, "the standard descriptors");
  std::string module, request;
  while (read_text(STDIN_FILENO, module) && read_text(STDIN_FILENO, request)) {
    Answer answer = Answer::kResult;
    std::string text;
    try {
      text = pickled(loaded_and_run(module, unpickled(request)));
    } catch (const c10::Error& error) {
      answer = Answer::kThrew;
      text = error.what_without_backtrace();
    } catch (const std::exception& error) {
      answer = Answer::kThrew;
      text = error.what();
    }
    if (!write_all(output, &answer, sizeof answer) || !write_text(output, text)) return;
  }
}

}  // namespace deformdiff::worker
