// Counts in which ways the inputs of many cases lie in storage.
#pragma once

#include "core/generator.h"
#include "generators/common/storage_layout.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace deformdiff {

/// What an implementation that reads a tensor as if it were contiguous would overlook.
inline std::set<std::string> layout_features(const Tensor& tensor) {
  const StorageTraits traits = traits_of(tensor);
  std::set<std::string> features;
  const auto any = [](const std::vector<bool>& flags) {
    return std::ranges::find(flags, true) != flags.end();
  };
  if (tensor.offset() > 0) features.insert("offset");
  if (!std::ranges::is_sorted(traits.order)) features.insert("transposed");
  if (any(traits.gap)) features.insert("gap");
  if (any(traits.expanded)) features.insert("expanded");
  if (traits.sliding) features.insert("overlapping");
  return features;
}

/// Those that a tensor of this dtype and shape can have.
inline std::set<std::string> possible_features(DType dtype, const Shape& shape) {
  std::set<std::string> features;
  if (can_have(StorageLayout::kOffset, dtype, shape)) features.insert("offset");
  if (can_have(StorageLayout::kTransposed, dtype, shape)) features.insert("transposed");
  if (can_have(StorageLayout::kStepped, dtype, shape)) features.insert("gap");
  if (can_have(StorageLayout::kExpanded, dtype, shape)) features.insert("expanded");
  if (can_have(StorageLayout::kOverlapping, dtype, shape)) features.insert("overlapping");
  return features;
}

/// In how many cases an input could have had a feature, and in how many it had.
struct FeatureCount {
  int possible = 0, seen = 0;
};

/// By input and feature, over cases first .. first + count - 1.
inline std::map<std::pair<std::string, std::string>, FeatureCount> count_features(
    const Generator& generator, std::uint64_t seed, const std::vector<std::string>& tiers,
    std::uint64_t first, std::uint64_t count) {
  std::map<std::pair<std::string, std::string>, FeatureCount> counts;
  for (std::uint64_t i = first; i < first + count; ++i) {
    for (const NamedTensor& input : generator.generate(seed, tiers, i).inputs) {
      for (const std::string& feature : possible_features(input.tensor.dtype(), input.tensor.shape()))
        ++counts[{input.name, feature}].possible;
      for (const std::string& feature : layout_features(input.tensor)) ++counts[{input.name, feature}].seen;
    }
  }
  return counts;
}

}  // namespace deformdiff
