// Small valid cases of the blocks, for tests.
#pragma once

#include "blocks/block_list.h"
#include "blocks/extents.h"

#include <algorithm>
#include <string>
#include <vector>

namespace deformdiff {

/// All blocks but the operator and its backward.
inline std::vector<const BlockDefinition*> deep_blocks() {
  std::vector<const BlockDefinition*> deep;
  for (const BlockDefinition* block : block_definitions()) {
    if (!block->name().starts_with("ms_deform_attn")) deep.push_back(block);
  }
  return deep;
}

inline Tensor zeros(DType dtype, const Shape& shape) {
  const std::size_t bytes = static_cast<std::size_t>(element_count(shape)) * size_of(dtype);
  return Tensor(dtype, shape, Tensor::Bytes(bytes));
}

inline Tensor integers(const Shape& shape, const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>(DType::kInt64, shape, values);
}

/// Two levels, 1 x 2 and 3 x 4; few layers, heads and points.
inline Attributes small_attributes(const BlockDefinition& block) {
  const Attributes small{{"num_heads", 2},
                         {"num_levels", 2},
                         {"num_points", 3},
                         {"num_encoder_layers", 2},
                         {"num_decoder_layers", 3},
                         {"group_norm_groups", 4},
                         {"num_position_features", 6}};
  Attributes attributes = block.default_attributes();
  for (auto& [name, value] : attributes) {
    if (const auto found = small.find(name); found != small.end()) value = found->second;
  }
  return attributes;
}

inline Extents small_extents() {
  return {{"B", 2},  {"Q", 3},   {"S", 14}, {"K", 6},       {"M", 2},  {"D", 4},   {"L", 2},
          {"P", 3},  {"F", 5},   {"R", 2},  {"E", 7},       {"C", 8},  {"H", 5},   {"W", 6},
          {"H0", 1}, {"W0", 2},  {"H1", 3}, {"W1", 4},      {"I0", 9}, {"I1", 10}, {"I2", 11},
          {"Dd", 6}, {"Fd", 13}, {"G", 4},  {"classes", 4}, {"N", 2}};
}

/// All zeros but for sizes; every optional tensor is there but for those named.
inline Case small_case(const BlockDefinition& block, const Attributes& attributes,
                       const Extents& extents = small_extents(),
                       const std::vector<std::string>& left_out = {}) {
  Case c;
  c.block = block.name();
  c.attributes = attributes;
  for (const TensorSpec& spec : block.tensors(attributes)) {
    if (std::find(left_out.begin(), left_out.end(), spec.name) != left_out.end()) continue;
    Tensor tensor =
        zeros(spec.kind == TensorSpec::Kind::kBool ? DType::kBool : DType::kFloat32, shape_of(spec, extents));
    if (spec.name == "spatial_shapes") tensor = integers({2, 2}, {1, 2, 3, 4});
    if (spec.name == "level_start_index") tensor = integers({2}, {0, 2});
    if (spec.name == "target_size") tensor = integers({2}, {2, 3});
    if (spec.name == "spatial_shape") tensor = integers({2}, {5, 6});
    c.inputs.push_back({spec.name, tensor});
  }
  return c;
}

inline Case small_case(const BlockDefinition& block) {
  return small_case(block, small_attributes(block));
}

inline Tensor& tensor_of(Case& c, const std::string& name) {
  const auto found =
      std::find_if(c.inputs.begin(), c.inputs.end(), [&](const NamedTensor& t) { return t.name == name; });
  DEFORMDIFF_CHECK(found != c.inputs.end());
  return found->tensor;
}

/// The text of the InputError that `action` throws; empty if it throws none.
template <typename Action>
std::string refusal(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace deformdiff
