// The order in which cases get simpler. It is well-founded: shrinking along it ends.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "generators/shrink/number_rank.h"

#include <cstdint>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// Of each element of sampling_loc, by its row-major index, the side of the map that it lies along.
class MapSides {
 public:
  explicit MapSides(const Problem& problem) : levels_(problem.levels), points_(problem.dims.P) {}

  std::int64_t operator()(std::int64_t index) const {
    const Level& level = levels_[static_cast<std::size_t>(index / 2 / points_) % levels_.size()];
    return index % 2 == 0 ? level.width : level.height;
  }

 private:
  std::vector<Level> levels_;
  std::int64_t points_;
};

/// That of the pixel coordinate where the location is one of whole eighths of a pixel on a side of `side`
/// pixels; worse a few ULPs beside one, and then that of the location itself.
template <typename T>
NumberRank rank_of_location(T location, std::int64_t side);

/// A location taken apart: whole eighths of a pixel, and ULPs from there.
struct PixelPlace {
  bool dyadic = false;  ///< the location is within 8 ULPs of eighths / 8 pixels
  std::int64_t eighths = 0;
  int ulps = 0;
  double pixel = 0;  ///< loc * side - 1/2
};

template <typename T>
PixelPlace pixel_place(T location, std::int64_t side);

/// The location of a pixel coordinate: (pixel + 1/2) / side, rounded once.
template <typename T>
T location_of(double pixel, std::int64_t side) {
  return static_cast<T>((pixel + 0.5) / static_cast<double>(side));
}

/// Compared lexicographically: extents and sides; heights (wide maps are simpler than high ones); gaps,
/// overlaps and inversions of the levels' rows; im2col_step (64 first, then small ones); complexity of the
/// storage layouts.
std::vector<std::int64_t> structure_rank(const Case& c);

/// Ranks of the elements: of sampling_loc, value, attn_weight, and grad_output where there is one.
std::vector<NumberRank> element_ranks(const Case& c);

/// Whether structure_rank() is less, or is the same and of the elements, worst first, the first that differs
/// is better, or they are the same in another order, and the first that differs is better.
bool is_simpler(const Case& a, const Case& b);

}  // namespace deformdiff::ms_deform_attn
