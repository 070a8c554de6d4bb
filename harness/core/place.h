// Where an element stands, in words that stay the same from case to case: for counting where errors sit.
#pragma once

#include "core/case.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// Into how many parts an axis is divided, whatever its extent.
constexpr int kAxisParts = 16;

/// A cell of a grid that is named for what it divides: an axis (one row), or a map.
struct Place {
  std::string grid;  ///< "query", "map of level 1"
  int rows = 1;
  int columns = kAxisParts;
  int cell = 0;  ///< row-major
};

/// The places of row-major elements of a value of this name and shape, all together.
using Places = std::vector<Place> (*)(const Case& c, std::string_view output, const Shape& shape,
                                      std::span<const std::int64_t> elements);

/// The part of the axis called `name` in which index `index` of `extent` lies.
Place place_on_axis(std::string name, std::int64_t index, std::int64_t extent);

/// For what nothing more is known of: "fc1, axis 2 of 3". Axes of one index, which divide nothing, are left
/// out.
std::vector<Place> axis_places(const Case& c, std::string_view output, const Shape& shape,
                               std::span<const std::int64_t> elements);

/// The index along each axis of a row-major element.
Shape indices_of(const Shape& shape, std::int64_t element);

}  // namespace deformdiff
