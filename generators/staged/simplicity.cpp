#include "generators/staged/simplicity.h"

#include "generators/common/storage_layout.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

namespace deformdiff {
namespace {

constexpr std::array<std::string_view, 7> kCounts{
    "num_encoder_layers",    "num_decoder_layers", "group_norm_groups", "num_levels",
    "num_position_features", "num_heads",          "num_points"};

std::vector<NumberRank> ranks_worst_first(const Case& c) {
  std::vector<NumberRank> ranks;
  for (const NamedTensor& input : c.inputs) {
    if (input.tensor.dtype() == DType::kInt64) continue;
    for (std::int64_t i = 0; i < input.tensor.elements(); ++i) {
      ranks.push_back(rank_of(input.tensor.element(i)));
    }
  }
  std::ranges::sort(ranks, std::greater());
  return ranks;
}

}  // namespace

bool counts_something(const BlockDefinition& block, const std::string& attribute) {
  if (std::ranges::find(kCounts, attribute) != kCounts.end()) return true;
  const auto fixed = block.extent_attributes();
  return std::ranges::any_of(fixed, [&](const auto& extent) { return extent.second == attribute; });
}

std::vector<std::int64_t> structure_rank(const BlockDefinition& block, const Case& c) {
  std::int64_t sizes = 0;
  for (const auto& [name, value] : block.dimensions(c)) sizes += value;
  std::int64_t unusual = 0;
  const Attributes defaults = block.default_attributes();
  for (const auto& [name, value] : c.attributes) {
    if (counts_something(block, name)) {
      sizes += static_cast<std::int64_t>(value);
    } else if (value != defaults.at(name)) {
      ++unusual;
    }
  }
  for (const NamedTensor& input : c.inputs) {
    const Tensor& tensor = input.tensor;
    sizes += 1;
    for (const std::int64_t size : tensor.shape()) sizes += size;
    if (tensor.dtype() == DType::kInt64) {
      for (std::int64_t i = 0; i < tensor.elements(); ++i) {
        sizes += static_cast<std::int64_t>(tensor.element(i));
      }
    }
  }
  return {sizes, unusual, storage_complexity(c)};
}

bool is_simpler(const BlockDefinition& block, const Case& a, const Case& b) {
  const auto rank_a = structure_rank(block, a);
  const auto rank_b = structure_rank(block, b);
  if (rank_a != rank_b) return rank_a < rank_b;
  return ranks_worst_first(a) < ranks_worst_first(b);
}

}  // namespace deformdiff
