#include "generators/shrink/axis_steps.h"

#include <algorithm>
#include <utility>

namespace deformdiff {
namespace {

/// The size of an axis of an earlier draft: an extent may have followed another one since.
std::int64_t size_now(const Draft& draft, const ShrinkAxis& axis) {
  if (axis.extent.empty()) return axis.size;
  const Extents extents = draft.block->dimensions(draft.dense);
  const auto found = extents.find(axis.extent);
  return found == extents.end() ? axis.size : found->second;
}

Indices all_but(std::int64_t count, std::int64_t first, std::int64_t last) {
  Indices indices = index_range(0, first);
  for (std::int64_t i = last; i < count; ++i) indices.push_back(i);
  return indices;
}

}  // namespace

std::optional<Draft> single_everything(const Draft& draft, const ShrinkAxes& axes, bool last) {
  std::optional<Draft> smaller;
  for (const ShrinkAxis& axis : axes) {
    const Draft& from = smaller ? *smaller : draft;
    const std::int64_t size = size_now(from, axis);
    if (size <= 1) continue;
    Draft next = axis.keep(from, {last ? size - 1 : 0});
    if (is_valid(*next.block, next.dense)) smaller = std::move(next);
  }
  return smaller;
}

void add_halves(const ShrinkAxes& axes, bool one_first, Steps& steps) {
  for (const ShrinkAxis& axis : axes) {
    const std::int64_t half = (axis.size + 1) / 2;
    std::vector<Indices> kept;
    if (axis.least == 0 && axis.size > 0) kept.emplace_back();
    if (axis.size > 1) {
      if (one_first && half > 1) kept.push_back({0});
      kept.push_back(index_range(0, half));
      kept.push_back(index_range(half, axis.size));
    }
    const auto count = static_cast<std::int64_t>(kept.size());
    steps.push_back({count, [axis, kept = std::move(kept)](const Draft& from, std::int64_t which) {
                       return axis.keep(from, kept[static_cast<std::size_t>(which)]);
                     }});
  }
}

void add_trims(const ShrinkAxes& axes, Steps& steps) {
  for (const ShrinkAxis& axis : axes) {
    for (std::int64_t chunk = axis.size / 4; chunk > 0; chunk /= 2) {
      steps.push_back({2, [axis, chunk](const Draft& from, std::int64_t which) {
                         return axis.keep(from, which == 0 ? index_range(0, axis.size - chunk)
                                                           : index_range(chunk, axis.size));
                       }});
    }
  }
}

void add_drops(const ShrinkAxes& axes, Steps& steps) {
  for (const ShrinkAxis& axis : axes) {
    if (axis.size <= 2) continue;  // that would be a half
    for (std::int64_t chunk = std::max<std::int64_t>(1, axis.size / 4); chunk > 0; chunk /= 2) {
      const std::int64_t count = (axis.size + chunk - 1) / chunk;
      steps.push_back({count, [axis, chunk](const Draft& from, std::int64_t which) {
                         const std::int64_t first = which * chunk;
                         return axis.keep(from,
                                          all_but(axis.size, first, std::min(axis.size, first + chunk)));
                       }});
    }
  }
}

}  // namespace deformdiff
