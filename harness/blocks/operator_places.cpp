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

}  // namespace

std::vector<Place> places(const Case& c, std::string_view, const Shape& shape,
                          std::span<const std::int64_t> elements) {
  const Problem problem = parse(c);
  const Dims& d = problem.dims;
  const Tensor locations = problem.sampling_loc.contiguous();
  const Tensor weights = problem.attn_weight.contiguous();
  std::vector<Place> places;
  std::set<std::int64_t> seen;  // channels share their point
  const auto add_axis = [&](const char* name, std::int64_t index, std::int64_t extent) {
    if (extent > 1) places.push_back(place_on_axis(name, index, extent));
  };
  for (const std::int64_t element : elements) {
    const Shape at = indices_of(shape, element);
    const std::int64_t head = at[2] / d.D;
    add_axis("batch", at[0], d.N);
    add_axis("query", at[1], d.Q);
    add_axis("head", head, d.M);
    add_axis("channel", at[2] % d.D, d.D);
    const std::int64_t first = ((at[0] * d.Q + at[1]) * d.M + head) * d.L * d.P;
    const std::optional<std::int64_t> point = only_point(weights, first, d.L * d.P);
    if (!point || !seen.insert(first).second) continue;
    const double x = locations.element(2 * (first + *point));
    const double y = locations.element(2 * (first + *point) + 1);
    if (std::isnan(x) || std::isnan(y)) continue;
    const std::int64_t level = *point / d.P;
    const Level& map = problem.levels[static_cast<std::size_t>(level)];
    places.push_back({level < kLastLevelApart ? fmt::format("map of level {}", level)
                                              : fmt::format("maps of level {} and above", kLastLevelApart),
                      kMapCells, kMapCells, map_cell(y, map.height) * kMapCells + map_cell(x, map.width)});
  }
  return places;
}

}  // namespace deformdiff::ms_deform_attn
