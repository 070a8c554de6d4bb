#include "engine/error_places.h"

#include "core/random.h"
#include "engine/signature.h"

namespace deformdiff {
namespace {

PlaceCounts& counts_of(ErrorPlaces& places, const std::string& grid, int rows, int columns) {
  PlaceCounts& counts = places[grid];
  if (counts.wrong.empty()) {
    const auto cells = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
    counts = {rows, columns, std::vector<std::int64_t>(cells), std::vector<std::int64_t>(cells)};
  }
  return counts;
}

}  // namespace

void note_places(Places places_of, const Case& c, std::uint64_t index, const Comparison& comparison,
                 ErrorPlaces& places) {
  if (comparison.sampled.empty()) return;
  const std::string output = stage_family(comparison.output);
  const auto elements = static_cast<std::uint64_t>(element_count(comparison.shape));
  const CounterRandom random(index);
  std::vector<std::int64_t> drawn;
  for (std::size_t i = 0; i < comparison.sampled.size(); ++i) {
    drawn.push_back(static_cast<std::int64_t>(random.bits(i) % elements));
  }
  for (const Place& place : places_of(c, output, comparison.shape, comparison.sampled)) {
    ++counts_of(places, place.grid, place.rows, place.columns).wrong.at(static_cast<std::size_t>(place.cell));
  }
  for (const Place& place : places_of(c, output, comparison.shape, drawn)) {
    ++counts_of(places, place.grid, place.rows, place.columns).drawn.at(static_cast<std::size_t>(place.cell));
  }
}

void add(const ErrorPlaces& more, ErrorPlaces& places) {
  for (const auto& [grid, counts] : more) {
    PlaceCounts& sum = counts_of(places, grid, counts.rows, counts.columns);
    for (std::size_t cell = 0; cell < counts.wrong.size(); ++cell) {
      sum.wrong[cell] += counts.wrong[cell];
      sum.drawn[cell] += counts.drawn[cell];
    }
  }
}

}  // namespace deformdiff
