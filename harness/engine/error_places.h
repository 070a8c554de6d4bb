// Where the wrong elements of a run stand, counted in constant memory.
#pragma once

#include "core/place.h"
#include "engine/compare.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deformdiff {

/// Counts by the cell of a grid. A place that many elements have, or few, is told from one where errors sit
/// by elements drawn at random from the same outputs, as many as wrong ones.
struct PlaceCounts {
  int rows = 1;
  int columns = 0;
  std::vector<std::int64_t> wrong;
  std::vector<std::int64_t> drawn;
  friend bool operator==(const PlaceCounts&, const PlaceCounts&) = default;
};

/// By the grid's name, as Place::grid.
using ErrorPlaces = std::map<std::string, PlaceCounts>;

/// Counts the elements that a failing comparison sampled; nothing where no element is to blame. What is drawn
/// beside them depends on `index`, the case's, alone.
void note_places(Places places_of, const Case& c, std::uint64_t index, const Comparison& comparison,
                 ErrorPlaces& places);

void add(const ErrorPlaces& more, ErrorPlaces& places);

}  // namespace deformdiff
