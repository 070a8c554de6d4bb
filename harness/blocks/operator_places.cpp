#include "blocks/operator_places.h"

#include "blocks/ms_deform_attn.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// The cell along one side of a point at this fraction of a side of so many pixels.
int map_cell(double fraction, std::int64_t pixels) {
  const auto side = static_cast<double>(pixels);
  const double at = fraction * side - 0.5;  // pixel centres are at whole numbers
  if (at <= -1) return 0;
  if (at < 0) return 1;
  if (at >= side) return kMapCells - 1;
  if (at > side - 1) return kMapCells - 2;
  constexpr int kInside = kMapCells - 4;
  return 2 + std::min(kInside - 1, static_cast<int>(at / std::max(1.0, side - 1) * kInside));
}

/// The one of `count` weights from `first` on that is not 0; nothing if none is, or several.
std::optional<std::int64_t> only_point(const Tensor& weights, std::int64_t first, std::int64_t count) {
  std::optional<std::int64_t> only;
  for (std::int64_t i = 0; i < count; ++i) {
    if (weights.element(first + i) == 0) continue;
    if (only) return std::nullopt;
    only = i;
  }
  return only;
}

void add_axis(const char* name, std::int64_t index, std::int64_t extent, std::vector<Place>& places) {
  if (extent > 1) places.push_back(place_on_axis(name, index, extent));
}

/// The cell of a point of a level at these fractions of its sides.
Place on_map(const Problem& problem, std::int64_t level, double x, double y) {
  const Level& map = problem.levels[static_cast<std::size_t>(level)];
  return {level < kLastLevelApart ? fmt::format("map of level {}", level)
                                  : fmt::format("maps of level {} and above", kLastLevelApart),
          kMapCells, kMapCells, map_cell(y, map.height) * kMapCells + map_cell(x, map.width)};
}

/// The pixel that a row of value is; of levels that share it, the first one's.
Place of_row(const Problem& problem, std::int64_t row) {
  for (std::size_t l = 0; l < problem.levels.size(); ++l) {
    const Level& map = problem.levels[l];
    const std::int64_t pixel = row - map.start;
    if (pixel < 0 || pixel >= map.height * map.width) continue;
    const auto centre = [](std::int64_t index, std::int64_t side) {
      return (static_cast<double>(index) + 0.5) / static_cast<double>(side);
    };
    return on_map(problem, static_cast<std::int64_t>(l), centre(pixel % map.width, map.width),
                  centre(pixel / map.width, map.height));
  }
  return {"rows of no level", 1, 1, 0};
}

std::vector<Place> value_places(const Problem& problem, const Shape& shape,
                                std::span<const std::int64_t> elements) {
  std::vector<Place> places;
  for (const std::int64_t element : elements) {
    const Shape at = indices_of(shape, element);
    add_axis("batch", at[0], problem.dims.N, places);
    add_axis("head", at[2], problem.dims.M, places);
    add_axis("channel", at[3], problem.dims.D, places);
    places.push_back(of_row(problem, at[1]));
  }
  return places;
}

}  // namespace

std::vector<Place> backward_places(const Case& c, std::string_view output, const Shape& shape,
                                   std::span<const std::int64_t> elements) {
  const Problem problem = parse(c);
  if (output == "grad_value") return value_places(problem, shape, elements);
  const Dims& d = problem.dims;
  const Tensor locations = problem.sampling_loc.contiguous();
  const std::int64_t of_a_point = output == "grad_sampling_loc" ? 2 : 1;
  std::vector<Place> places;
  for (const std::int64_t element : elements) {
    const Shape at = indices_of(shape, element);
    add_axis("batch", at[0], d.N, places);
    add_axis("query", at[1], d.Q, places);
    add_axis("head", at[2], d.M, places);
    add_axis("level", at[3], d.L, places);
    add_axis("point", at[4], d.P, places);
    if (of_a_point == 2) places.push_back({"x, y", 1, 2, static_cast<int>(at[5])});
    const std::int64_t point = element / of_a_point;
    const double x = locations.element(2 * point), y = locations.element(2 * point + 1);
    if (!std::isnan(x) && !std::isnan(y)) places.push_back(on_map(problem, at[3], x, y));
  }
  return places;
}

std::vector<Place> places(const Case& c, std::string_view, const Shape& shape,
                          std::span<const std::int64_t> elements) {
  const Problem problem = parse(c);
  const Dims& d = problem.dims;
  const Tensor locations = problem.sampling_loc.contiguous();
  const Tensor weights = problem.attn_weight.contiguous();
  std::vector<Place> places;
  std::set<std::int64_t> seen;  // channels share their point
  for (const std::int64_t element : elements) {
    const Shape at = indices_of(shape, element);
    const std::int64_t head = at[2] / d.D;
    add_axis("batch", at[0], d.N, places);
    add_axis("query", at[1], d.Q, places);
    add_axis("head", head, d.M, places);
    add_axis("channel", at[2] % d.D, d.D, places);
    const std::int64_t first = ((at[0] * d.Q + at[1]) * d.M + head) * d.L * d.P;
    const std::optional<std::int64_t> point = only_point(weights, first, d.L * d.P);
    if (!point || !seen.insert(first).second) continue;
    const double x = locations.element(2 * (first + *point));
    const double y = locations.element(2 * (first + *point) + 1);
    if (std::isnan(x) || std::isnan(y)) continue;
    places.push_back(on_map(problem, *point / d.P, x, y));
  }
  return places;
}

}  // namespace deformdiff::ms_deform_attn
