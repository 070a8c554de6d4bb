// An exported module: a TorchScript file.
#pragma once

#include "core/tensor.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <torch/csrc/jit/api/module.h>

namespace deformdiff::worker {

/// Loads `file` onto the CPU. Where it is not a TorchScript module with a forward method, or needs operators
/// that LibTorch does not have, the text says so and what to do.
std::variant<torch::jit::Module, std::string> load_module(const std::string& file);

/// What an argument was when the module was traced.
struct TracedInput {
  Shape shape;
  bool floating = false;
};

/// For each of forward's arguments, without self; nothing where the file does not tell. Requires a file that
/// load_module() has loaded. Reads it once more: LibTorch ties the shapes to the types in the graph, where
/// they would let its optimisations assume them.
std::vector<std::optional<TracedInput>> traced_inputs(const std::string& file);

}  // namespace deformdiff::worker
