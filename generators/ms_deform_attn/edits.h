// A case taken apart, and the steps that make it smaller: each keeps it valid.
#pragma once

#include "generators/ms_deform_attn/structure.h"
#include "generators/common/storage_layout.h"

#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// Inputs in the operator's order.
enum Input : std::size_t { kValue, kShapes, kStarts, kLocations, kWeights, kInputs };

struct Draft {
  Structure structure;
  Tensor value, locations, weights;  ///< contiguous
  std::array<LayoutTraits, kInputs> layouts;
  Provenance provenance;
};

Draft draft_of(const Case& c);
Case case_of(const Draft& draft);

/// A level cut to `height` x `width` pixels from (top, left).
struct Crop {
  std::size_t level;
  std::int64_t top, height, left, width;
};

/// What becomes of the rows between levels.
enum class Gaps {
  kKept,
  kDropped,
  kConsecutive,  ///< dropped, and the levels in their order
};

/// Where the points of a cropped level are.
enum class Points {
  kOnPixels,  ///< the same pixels: the pixel coordinate moves with the map's edge, as exactly as can be
  kInPlace,   ///< the same fraction of the map
};

/// Extents of axes batch, query, head, channel, point.
enum class Extent { kBatch, kQuery, kHead, kChannel, kPoint };
std::int64_t extent(const Draft& draft, Extent axis);

/// Only `indices` (ascending) of an axis.
Draft keep(const Draft& draft, Extent axis, const std::vector<std::int64_t>& indices);

/// Only the levels of `crops`, in their order, cut.
Draft keep_levels(const Draft& draft, const std::vector<Crop>& crops, Points points, Gaps gaps);

/// Every level whole, as a starting point for keep_levels().
std::vector<Crop> whole_levels(const Draft& draft);

/// The smallest part of each level that holds every pixel that a point reads; at least one pixel.
std::vector<Crop> touched_parts(const Draft& draft);

/// The same problem with x for y and widths for heights. Nothing if levels share rows.
std::optional<Draft> transposed(const Draft& draft);

/// Which element of an input is meant: its row-major index, and the map's side for a location, else 0.
struct ElementPlace {
  std::int64_t index;
  std::int64_t side;
};
using Simplify = std::function<double(double element, const ElementPlace& place)>;

/// Elements of an input, by row-major index: `count` at most from `first` on, then `count` from `first +
/// every` on, and so forth.
struct Elements {
  std::int64_t first, count, every;
};
constexpr Elements kAllElements{0, std::numeric_limits<std::int64_t>::max(), 0};

/// Applies `simplify` to some elements of `input` (kValue, kLocations or kWeights); to each only where it
/// gets simpler. Nothing if none does.
std::optional<Draft> simplified(const Draft& draft, Input input, const Elements& some,
                                const Simplify& simplify);

}  // namespace deformdiff::ms_deform_attn
