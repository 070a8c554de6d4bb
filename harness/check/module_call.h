// A call of an exported module as anyone makes it: its arguments, and where the block's outputs lie in what
// it returns.
#pragma once

#include "core/case.h"
#include "core/tensor.h"
#include "engine/runner.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace deformdiff {

struct ModuleResult {
  std::string output;                ///< of the block
  Shape shape;                       ///< as the module returns it
  std::vector<std::int64_t> places;  ///< for each element of the block's output, where it lies in the result
};

struct ModuleCall {
  std::filesystem::path file;
  std::string mode;                    ///< one of module_mode
  std::vector<NamedTensor> arguments;  ///< in the module's order and shapes
  std::vector<ModuleResult> results;   ///< in the module's order; empty if it did not return
};

/// Runs the module of a torchscript: address once, to see what it returns. Throws InputError for one that
/// does not return what the block does, and for one of another format than TorchScript.
ModuleCall module_call(const std::string& address, const Case& c, const RunLimits& limits, int threads);

}  // namespace deformdiff
