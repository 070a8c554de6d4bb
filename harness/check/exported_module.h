// An exported module in a worker of its own: TorchScript in LibTorch's, other formats in that of the Python
// package.
#pragma once

#include "core/module_description.h"
#include "core/outcome.h"
#include "engine/runner.h"
#include "engine/shared_worker.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// How the module is run: the recorded graph itself, or what its format's runtime makes of it. Names of the
/// worker's subjects.
namespace module_mode {
inline constexpr const char* kInterpreter = "module/interpreter";
inline constexpr const char* kExecutor = "module/executor";  ///< the runtime as anyone calls it
inline constexpr const char* kFrozen = "module/frozen";
inline constexpr const char* kInference = "module/inference";
inline constexpr const char* kFloat64 = "module/float64";

/// Those that are judged as they are; float64 shows what they should be.
inline constexpr std::array kAll{kInterpreter, kExecutor, kFrozen, kInference};

/// As reports and addresses have it: "executor".
std::string_view short_name(std::string_view mode);
}  // namespace module_mode

class ExportedModule {
 public:
  /// Throws InputError naming the file and the fix if it is no exported module. A module that takes its
  /// worker down while it is loaded is in load_failure(). `prefix` stands before the worker's command line.
  ExportedModule(const std::filesystem::path& path, const RunLimits& limits,
                 std::vector<std::string> prefix = {});

  const ModuleDescription& description() const { return description_; }

  /// What the worker declares of the modules that it runs. Requires that it could be loaded.
  const SubjectInfo& info() const { return info_; }

  /// Those of module_mode::kAll in which modules of its format can be run.
  const std::vector<const char*>& modes() const { return modes_; }

  /// Kind kNotRun with an empty message if it could be loaded.
  const Outcome& load_failure() const { return load_failure_; }

  /// What became of the worker that was to load it first; empty if that is the one that did.
  const std::string& lost_on_loading() const { return lost_on_loading_; }

  /// One call with these inputs, in the module's order; `tap` shows the values on the way. What the module
  /// breaks is in the outcome.
  Outcome run(const std::string& mode, const std::vector<NamedTensor>& inputs, bool tap);

  /// Ends the workers that made calls; the next calls get fresh ones.
  void restart();

  std::int64_t workers_started() const;

  const std::map<std::string, std::string>& environment() const { return environment_; }

 private:
  void load_in_python();
  void load_in_libtorch(const std::filesystem::path& path);
  void describe(WorkerProcess& worker);
  Runner& runner(const std::string& mode);

  std::vector<std::string> command_;
  RunLimits limits_;
  ModuleDescription description_;
  SubjectInfo info_;
  std::vector<const char*> modes_;
  bool in_python_;  ///< such a worker takes seconds to start, and its formats say which inputs a module takes
  Outcome load_failure_;
  std::string lost_on_loading_;
  std::map<std::string, std::string> environment_;
  std::map<std::string, std::unique_ptr<Runner>> runners_;  ///< by mode; empty where one serves all
  std::unique_ptr<SharedWorker> shared_;
};

}  // namespace deformdiff
