// Views that are not simple: an implementation that ignores strides or the offset reads something loud.
#pragma once

#include "core/case.h"
#include "core/random.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace deformdiff {

enum class StorageLayout : std::uint8_t {
  kContiguous,
  kOffset,       ///< contiguous, 1 to 3 elements into its storage
  kSliced,       ///< a slice of a larger tensor along one or two axes
  kTransposed,   ///< axes in another order in memory
  kStepped,      ///< every second element of an axis
  kExpanded,     ///< index 0 of an axis repeated by stride 0: the elements change accordingly
  kOverlapping,  ///< windows: each index of an axis one of the next axis further, the elements accordingly
};

/// Whether a tensor of this shape can lie so and not just as if it were contiguous. Integers and booleans are
/// never expanded or overlapping: repeating an index would break what sizes and masks say of each other.
bool can_have(StorageLayout layout, DType dtype, const Shape& shape);

/// All layouts but the contiguous one that a tensor of this dtype and number of axes can have.
std::vector<StorageLayout> layouts_of(DType dtype, std::size_t axes);

/// `contiguous` laid out anew. Storage beyond the view holds NaN or 1e30 (1 for integers and booleans).
Tensor with_storage_layout(const Tensor& contiguous, StorageLayout layout, const CounterRandom& random);

/// What of a tensor's storage layout can be kept while its extents change.
struct StorageTraits {
  std::vector<std::size_t> order;      ///< axes, outermost in memory first
  std::vector<bool> expanded;          ///< stride 0
  std::optional<std::size_t> sliding;  ///< axis with the stride of the next one inside it in memory
  std::vector<bool> gap;               ///< elements that are not of the view between two indices of the axis
  std::int64_t offset = 0;
  bool tail = false;                  ///< elements after the view
  std::array<std::byte, 8> hidden{};  ///< one of the elements that are not of the view
};

StorageTraits traits_of(const Tensor& tensor);

/// `dense`, which is contiguous, with such a storage layout in as little storage as that takes. The elements
/// of an expanded axis are those of its index 0, and what overlaps is what comes first.
Tensor with_traits(const Tensor& dense, const StorageTraits& traits);

/// Whether row-major element `index` of such a tensor is where an earlier one is.
bool is_repetition(const StorageTraits& traits, const Shape& shape, std::int64_t index);

/// 0 for a contiguous tensor of this shape; each trait that matters adds to it.
std::int64_t complexity(const StorageTraits& traits, const Shape& shape);

/// The same of all inputs together.
std::int64_t storage_complexity(const Case& c);

/// Traits with one thing less each; contiguous first.
std::vector<StorageTraits> simpler_traits(const StorageTraits& traits);

/// Of zeros that share one element of storage.
Tensor repeated_zero(DType dtype, const Shape& shape);

}  // namespace deformdiff
