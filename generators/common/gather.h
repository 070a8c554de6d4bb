// Parts of tensors by extent.
#pragma once

#include "blocks/extents.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

/// Indices of an extent.
using Indices = std::vector<std::int64_t>;

/// first, first + 1, ... last - 1.
Indices index_range(std::int64_t first, std::int64_t last);

/// Only `indices` of an extent, wherever it stands in the axes. `dense` is contiguous and has the shape of
/// `spec` with `extents`. Throws InternalError for an index that the extent does not have.
Tensor gather(const Tensor& dense, const TensorSpec& spec, const Extents& extents, const std::string& name,
              const Indices& indices);

}  // namespace deformdiff
