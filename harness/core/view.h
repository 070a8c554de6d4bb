// Exact rearrangements of a tensor's elements: what lies between two computations and never rounds.
#pragma once

#include "core/tensor.h"

#include <cstdint>
#include <vector>

namespace deformdiff {

/// One step: a reshape to an extent list, a permutation of axes, elements [start, start + length) of an axis,
/// or a repetition along axes of extent 1.
struct ViewStep {
  enum class Kind : std::uint8_t { kReshape, kPermute, kNarrow, kExpand };
  Kind kind;
  Shape arguments;  ///< the new shape; the old axes in their new order; axis, start, length; the new shape
  friend bool operator==(const ViewStep&, const ViewStep&) = default;
};

/// Steps, first to last; empty for the tensor as it is.
using View = std::vector<ViewStep>;

ViewStep reshape(Shape shape);
ViewStep permute(Shape axes);
ViewStep narrow(std::int64_t axis, std::int64_t start, std::int64_t length);
ViewStep expand(Shape shape);

/// No step moves an element.
bool only_reshapes(const View& view);

/// The rearranged elements, contiguous. Throws InternalError for a step that does not fit the shape before
/// it.
Tensor rearranged(const Tensor& tensor, const View& view);

}  // namespace deformdiff
