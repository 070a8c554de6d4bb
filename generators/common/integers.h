// Tensors of sizes and places.
#pragma once

#include "core/tensor.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace deformdiff {

/// int64, contiguous.
inline Tensor int64_tensor(Shape shape, const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>(DType::kInt64, std::move(shape), values);
}

}  // namespace deformdiff
