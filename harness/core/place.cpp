#include "core/place.h"

#include <utility>

#include <fmt/format.h>

namespace deformdiff {

Place place_on_axis(std::string name, std::int64_t index, std::int64_t extent) {
  return {.grid = std::move(name), .cell = static_cast<int>(index * kAxisParts / extent)};
}

std::vector<Place> axis_places(const Case&, std::string_view output, const Shape& shape,
                               std::span<const std::int64_t> elements) {
  std::vector<Place> places;
  for (const std::int64_t element : elements) {
    const Shape indices = indices_of(shape, element);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] < 2) continue;
      places.push_back(place_on_axis(fmt::format("{}, axis {} of {}", output, axis + 1, shape.size()),
                                     indices[axis], shape[axis]));
    }
  }
  return places;
}

Shape indices_of(const Shape& shape, std::int64_t element) {
  Shape indices(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    indices[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return indices;
}

}  // namespace deformdiff
