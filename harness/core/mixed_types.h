// Cases that hold tensors of a 16-bit type beside float32 ones, as half `value` beside float32 locations.
#pragma once

#include "core/case.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <optional>
#include <string>

namespace deformdiff {

/// The 16-bit type of a case that holds float32 tensors too; none for any other case.
inline std::optional<DType> mixed_dtype(const Case& c) {
  const auto narrow = std::ranges::find_if(
      c.inputs, [](const NamedTensor& input) { return is_sixteen_bits(input.tensor.dtype()); });
  const bool has_float32 = std::ranges::any_of(
      c.inputs, [](const NamedTensor& input) { return input.tensor.dtype() == DType::kFloat32; });
  if (narrow == c.inputs.end() || !has_float32) return std::nullopt;
  return narrow->tensor.dtype();
}

/// As declarations and reports call it: "mixed_float16".
inline std::string mixed_name_of(DType dtype) {
  return "mixed_" + std::string(name_of(dtype));
}

}  // namespace deformdiff
