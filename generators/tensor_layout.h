// Views that are not simple: an implementation that ignores strides or the offset reads something loud.
#pragma once

#include "core/random.h"
#include "core/tensor.h"

#include <cstdint>

namespace deformdiff {

enum class Layout : std::uint8_t {
  kContiguous,
  kOffset,      ///< contiguous, 1 to 3 elements into its storage
  kSliced,      ///< a slice of a larger tensor along one or two axes
  kTransposed,  ///< axes in another order in memory
  kStepped,     ///< every second element of an axis
  kExpanded,    ///< index 0 of an axis repeated by stride 0: the elements change accordingly
};

/// `contiguous` laid out anew. Storage beyond the view holds NaN or 1e30 (1 for integers).
Tensor with_layout(const Tensor& contiguous, Layout layout, const CounterRandom& random);

}  // namespace deformdiff
