#include "generators/ms_deform_attn/edits.h"

#include "core/dtype_dispatch.h"
#include "generators/common/numbers.h"
#include "generators/ms_deform_attn/simplicity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// The levels in the order of their rows, and the rows in front of each that no level owns.
struct RowPlan {
  std::vector<std::size_t> order;
  std::vector<Indices> gap_before;  ///< by place in `order`
  Indices tail;
};

RowPlan plan_rows(const Problem& p) {
  RowPlan plan;
  plan.order.resize(p.levels.size());
  std::iota(plan.order.begin(), plan.order.end(), std::size_t{0});
  std::ranges::stable_sort(plan.order, {}, [&](std::size_t l) { return p.levels[l].start; });
  std::int64_t end = 0;
  for (const std::size_t l : plan.order) {
    const Level& level = p.levels[l];
    plan.gap_before.push_back(index_range(end, level.start));
    end = std::max(end, level.start + level.height * level.width);
  }
  plan.tail = index_range(end, p.dims.S);
  return plan;
}

/// Fills in where the crops start and returns the rows of the old value that make the new one.
Indices choose_rows(const Problem& old, const std::vector<Crop>& crops, Gaps gaps, Indices& starts) {
  const RowPlan plan = plan_rows(old);
  Indices rows;
  const auto add_level = [&](std::size_t k) {
    const Level& from = old.levels[crops[k].level];
    starts[k] = static_cast<std::int64_t>(rows.size());
    append_rows(crops[k], from.start, from.width, rows);
  };
  const auto add_gap = [&](const Indices& gap) {
    if (gaps == Gaps::kKept) rows.insert(rows.end(), gap.begin(), gap.end());
  };
  if (gaps == Gaps::kConsecutive) {
    for (std::size_t k = 0; k < crops.size(); ++k) add_level(k);
    return rows;
  }
  for (std::size_t place = 0; place < plan.order.size(); ++place) {
    for (std::size_t k = 0; k < crops.size(); ++k) {
      if (crops[k].level != plan.order[place]) continue;
      add_gap(plan.gap_before[place]);
      add_level(k);
    }
  }
  add_gap(plan.tail);
  return rows;
}

/// The same pixel of a map that begins `offset` pixels later and has `side` of the old `old_side` pixels.
template <typename T>
T moved(T location, std::int64_t old_side, std::int64_t offset, std::int64_t side) {
  if (offset == 0 && side == old_side) return location;
  const PixelPlace place = pixel_place(location, old_side);
  const auto shift = static_cast<double>(offset);
  if (place.dyadic) {
    return step_ulps(location_of<T>(static_cast<double>(place.eighths) / 8 - shift, side), place.ulps);
  }
  const double most = static_cast<double>(old_side) * 4;
  if (!std::isfinite(location) || std::abs(place.pixel) > most) return location;
  return location_of<T>(place.pixel - shift, side);
}

template <typename T>
Tensor moved_locations(const Tensor& locations, const Problem& old, const std::vector<Crop>& crops) {
  std::vector<T> xy(locations.values<T>().begin(), locations.values<T>().end());
  for (std::size_t i = 0; i < xy.size() / 2; ++i) {
    const Crop& crop = crops[i / static_cast<std::size_t>(old.dims.P) % crops.size()];
    const Level& level = old.levels[crop.level];
    xy[2 * i] = moved(xy[2 * i], level.width, crop.left, crop.width);
    xy[2 * i + 1] = moved(xy[2 * i + 1], level.height, crop.top, crop.height);
  }
  return Tensor::of<T>(locations.dtype(), locations.shape(), xy);
}

/// Extends [first, last] by the pixels that a coordinate reads of a side.
template <typename T>
void touch(T location, std::int64_t side, std::int64_t& first, std::int64_t& last) {
  const double pixel = static_cast<double>(location) * static_cast<double>(side) - 0.5;
  if (!(pixel > -2 && pixel < static_cast<double>(side) + 1)) return;
  const auto low = static_cast<std::int64_t>(std::floor(pixel));
  // A pixel more on either side, where the coordinate is so near that its rounding decides.
  const double fraction = pixel - static_cast<double>(low);
  const std::int64_t begin = fraction < 1e-3 && fraction > 0 ? low - 1 : low;
  const std::int64_t end = fraction == 0 ? low : (fraction > 1 - 1e-3 ? low + 2 : low + 1);
  first = std::min(first, std::clamp<std::int64_t>(begin, 0, side - 1));
  last = std::max(last, std::clamp<std::int64_t>(end, 0, side - 1));
}

template <typename T>
std::vector<Crop> touched(const Problem& p) {
  std::vector<Crop> parts;
  for (std::size_t l = 0; l < p.levels.size(); ++l) {
    parts.push_back({l, p.levels[l].height, 0, p.levels[l].width, 0});
  }
  std::vector<std::array<std::int64_t, 2>> last(parts.size(), {-1, -1});
  const auto xy = p.sampling_loc.values<T>();
  for (std::size_t i = 0; i < xy.size() / 2; ++i) {
    const std::size_t l = i / static_cast<std::size_t>(p.dims.P) % parts.size();
    touch(xy[2 * i], p.levels[l].width, parts[l].left, last[l][0]);
    touch(xy[2 * i + 1], p.levels[l].height, parts[l].top, last[l][1]);
  }
  for (std::size_t l = 0; l < parts.size(); ++l) {
    if (last[l][0] < 0) parts[l].left = last[l][0] = 0;
    if (last[l][1] < 0) parts[l].top = last[l][1] = 0;
    parts[l].width = last[l][0] - parts[l].left + 1;
    parts[l].height = last[l][1] - parts[l].top + 1;
  }
  return parts;
}

/// Pairs (x, y) as (y, x).
template <typename T>
Tensor exchanged(const Tensor& pairs) {
  std::vector<T> elements(pairs.values<T>().begin(), pairs.values<T>().end());
  for (std::size_t i = 0; i < elements.size(); i += 2) std::swap(elements[i], elements[i + 1]);
  return Tensor::of<T>(pairs.dtype(), pairs.shape(), elements);
}

}  // namespace

Draft keep_levels(const Draft& draft, const std::vector<Crop>& crops, Points points, Gaps gaps) {
  const Problem old = parse(draft.dense);
  Indices starts(crops.size());
  const Indices rows = choose_rows(old, crops, gaps, starts);
  Draft smaller = keep_rows(draft, crops, starts, rows);
  const Tensor& locations = smaller.dense.input("sampling_loc");
  if (points == Points::kInPlace || locations.elements() == 0) return smaller;
  set_input(smaller.dense, "sampling_loc", with_floating(old.dtype, [&](auto zero) {
              return moved_locations<decltype(zero)>(locations, old, crops);
            }));
  return smaller;
}

std::vector<Crop> touched_parts(const Draft& draft) {
  const Problem problem = parse(draft.dense);
  if (problem.sampling_loc.elements() == 0) {
    std::vector<Crop> crops = whole_levels(draft);
    for (Crop& crop : crops) crop.height = crop.width = 1;
    return crops;
  }
  return with_floating(problem.dtype, [&](auto zero) { return touched<decltype(zero)>(problem); });
}

std::optional<Draft> transposed(const Draft& draft) {
  const Problem problem = parse(draft.dense);
  Indices rows = index_range(0, problem.dims.S);
  std::vector<bool> used(rows.size(), false);
  Indices sides;
  for (const Level& level : problem.levels) {
    for (std::int64_t y = 0; y < level.height; ++y) {
      for (std::int64_t x = 0; x < level.width; ++x) {
        const auto to = static_cast<std::size_t>(level.start + x * level.height + y);
        if (used[to]) return std::nullopt;
        used[to] = true;
        rows[to] = level.start + y * level.width + x;
      }
    }
    sides.insert(sides.end(), {level.width, level.height});
  }
  Draft turned = keep_extent(draft, draft.block->dimensions(draft.dense), "S", rows);
  set_input(turned.dense, "spatial_shapes", int64_tensor({problem.dims.L, 2}, sides));
  set_input(turned.dense, "sampling_loc", with_floating(problem.dtype, [&](auto zero) {
              return exchanged<decltype(zero)>(problem.sampling_loc);
            }));
  return turned;
}

}  // namespace deformdiff::ms_deform_attn
