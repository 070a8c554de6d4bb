// Where elements of the operator's output and of its gradients stand: on their axes, and on the maps.
#pragma once

#include "core/place.h"

namespace deformdiff::ms_deform_attn {

/// Cells along each side of a map's grid. The outermost are where a point reaches no pixel, those next to
/// them where it lies beyond the centre of the first or last pixel, the others equal parts from one to the
/// other.
constexpr int kMapCells = 12;

/// Levels from this one on share a grid.
constexpr std::int64_t kLastLevelApart = 4;

/// "batch", "query", "head", "channel"; and "map of level 0" for the point of an element that has a single
/// one of a weight other than 0, for of several nobody knows which one is at fault. Elements that share their
/// point count once there; a point of NaN is left out. As deformdiff::Places: `c` is a valid case, `shape`
/// its output's.
std::vector<Place> places(const Case& c, std::string_view output, const Shape& shape,
                          std::span<const std::int64_t> elements);

/// The same of the backward's outputs. Of grad_value "batch", "head", "channel", and "map of level 0" for the
/// pixel that the row is, by its centre, or "rows of no level". Of grad_sampling_loc and grad_attn_weight
/// "batch", "query", "head", "level", "point", of the former "x, y", and "map of level 0" for the point.
std::vector<Place> backward_places(const Case& c, std::string_view output, const Shape& shape,
                                   std::span<const std::int64_t> elements);

}  // namespace deformdiff::ms_deform_attn
