// Constants in a module's graph, and what their values may come from.
#pragma once

#include "core/tensor.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

namespace deformdiff::worker {

/// An integer that the graph fixes; nothing where it is computed from extents or values.
std::optional<std::int64_t> constant_integer(const torch::jit::Value* value);

/// The elements of a list of integers that is put together in the graph, each fixed or not; nothing for
/// anything else.
std::optional<std::vector<std::optional<std::int64_t>>> integer_list(const torch::jit::Value* value);

std::optional<at::Tensor> constant_tensor(const torch::jit::Value* value);

/// The value of which `value` is another view: through slices, added axes, conversions and the like, which
/// keep, repeat or reverse elements.
const torch::jit::Value* behind_views(const torch::jit::Value* value);

/// Whether the node is aten::NAME of one of the names, in place or not.
bool is_aten(const torch::jit::Node* node, std::initializer_list<std::string_view> names);

/// "aten::linear" is "linear".
std::string_view op_name(const torch::jit::Node* node);

/// Sizes that the inputs had when the module was traced: "2x3 of res5" for the tokens of a map, and sums of
/// those over several maps.
class TracedSizes {
 public:
  TracedSizes() = default;
  TracedSizes(const std::vector<std::string>& names, const std::vector<std::optional<Shape>>& shapes);

  /// What `size` may be: empty if nothing is known.
  std::string explain(std::int64_t size) const;

  /// The same for extents of a tensor, of which the first that can be explained is.
  std::string explain(at::IntArrayRef extents) const;

 private:
  std::map<std::int64_t, std::string> sizes_;
};

}  // namespace deformdiff::worker
