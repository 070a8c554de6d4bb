// The axes of a block's tensors taken apart, and parts of tensors by extent.
#pragma once

#include "blocks/block_definition.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// Indices of an extent.
using Indices = std::vector<std::int64_t>;

/// first, first + 1, ... last - 1.
Indices index_range(std::int64_t first, std::int64_t last);

/// The factors of an axis, outermost first: names of extents, or numbers. "M*L*2" has three.
using Factors = std::vector<std::string>;

std::vector<Factors> axes_of(const TensorSpec& spec);

/// Whether an axis of the tensor is a product that has the extent.
bool has_extent(const TensorSpec& spec, const std::string& name);

/// Whether a tensor of this name is a parameter.
bool is_parameter(std::string_view name);

/// Throws InternalError for a name that `extents` lacks.
Shape shape_of(const TensorSpec& spec, const Extents& extents);

/// Only `indices` of an extent, wherever it stands in the axes. `dense` is contiguous and has the shape of
/// `spec` with `extents`. Throws InternalError for an index that the extent does not have.
Tensor gather(const Tensor& dense, const TensorSpec& spec, const Extents& extents, const std::string& name,
              const Indices& indices);

}  // namespace deformdiff
