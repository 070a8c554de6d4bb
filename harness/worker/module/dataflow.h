// What each value of a module's graph is made of, and along which of its axes the batch lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

namespace deformdiff::worker {

/// What a value depends on. Where in doubt, it does.
struct Origins {
  bool data = false;       ///< on the values of an input
  bool extents = false;    ///< on the extents of an input, or on its values by way of extents
  bool parameter = false;  ///< on a parameter or buffer
  bool generated = false;  ///< on arange, linspace, random numbers
  const torch::jit::Value* filled = nullptr;    ///< on a tensor that zeros, empty, full or the like made
  const torch::jit::Value* constant = nullptr;  ///< on a constant tensor of more than one element

  /// Adds those of `other`, and says whether that changed anything.
  bool add(const Origins& other);
};

class Dataflow {
 public:
  /// `batch_first`: for each graph input, self included, whether its first axis is known to be the batch.
  Dataflow(const torch::jit::Graph& graph, const std::vector<bool>& batch_first);

  const Origins& of(const torch::jit::Value* value) const;

  /// The axis with the batch, where it is known: from inputs and convolutions on, through operators that keep
  /// it or move it in a known way.
  std::optional<std::int64_t> batch_axis(const torch::jit::Value* value) const;

 private:
  class Origin;
  class Batch;
  std::unordered_map<const torch::jit::Value*, Origins> origins_;
  std::unordered_map<const torch::jit::Value*, std::int64_t> batch_axes_;
};

/// An operator with weights: which of its inputs it computes from, and which is the weight.
struct Layer {
  std::size_t data;
  std::size_t weight;
  std::size_t last_parameter;  ///< inputs from `weight` to this are parameters
};
std::optional<Layer> layer_of(const torch::jit::Node* node);

}  // namespace deformdiff::worker
