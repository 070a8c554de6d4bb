// A module's forward as one graph, with the submodule that each node comes from.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

namespace deformdiff::worker {

/// Told of the calls of submodules while they are replaced by their code, from the outside in.
class CallListener {
 public:
  virtual ~CallListener() = default;

  /// `call` is about to be replaced; its first input is the submodule at `path`.
  virtual void entering(torch::jit::Node* call, const std::string& path) = 0;

  /// `result` is what the call at `path` gave; what comes after it begins with `next`.
  virtual void left(torch::jit::Node* next, const std::string& path, torch::jit::Value* result) = 0;
};

struct FlatGraph {
  std::shared_ptr<torch::jit::Graph> graph;
  std::unordered_map<const torch::jit::Node*, std::string> scopes;  ///< nodes that have none are the root's
  std::set<std::string> read;  ///< paths of the attributes that the code reads, submodules left out

  const std::string& scope_of(const torch::jit::Node* node) const;
};

/// A copy of the graph of `module`'s forward in which every call is replaced by the code that it calls;
/// calls through interfaces stay.
FlatGraph flatten(const torch::jit::Module& module, CallListener* listener = nullptr);

/// One line of text, as TorchScript prints the node, shortened.
std::string line_of(const torch::jit::Node* node);

}  // namespace deformdiff::worker
