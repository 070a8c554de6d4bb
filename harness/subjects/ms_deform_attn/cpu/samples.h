// The points of some queries of one head on one level: where they lie, and which weights their pixels get.
#pragma once

#include "subjects/ms_deform_attn/cpu/kernels.h"
#include "subjects/ms_deform_attn/cpu/problem.h"
#include "subjects/ms_deform_attn/cpu/vectors.h"
#include "subjects/ms_deform_attn/cpu/workspace.h"

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

/// Reads the points of `queries` queries on one level, of which `first` is the first query's first.
template <typename T>
void read_points(const Problem& p, std::int64_t first, std::int64_t queries, const Workspace<T>& w) {
  for (std::int64_t q = 0, i = first; q < queries; ++q, i += p.M * p.L * p.P) {
    read_elements(p.point_type, p.sampling_loc, 2 * i, 2 * p.P, w.location + 2 * q * p.P);
    read_elements(p.point_type, p.attn_weight, i, p.P, w.attention + q * p.P);
  }
}

/// `count` points, of which `first` is the first, are read soon.
[[gnu::always_inline]] inline void fetch_points(const Problem& p, std::int64_t first, std::int64_t count) {
  fetch(p.point_type, p.sampling_loc, 2 * first, 2 * count);
  fetch(p.point_type, p.attn_weight, first, count);
}

/// `Lanes` points on their level.
template <typename T, int Lanes>
struct Points {
  Vector<IntOf<T>, Lanes> column, row;  ///< of the upper left pixel of their cells
  Vector<T, Lanes> right, lower;        ///< how far from that pixel they lie, from 0 to 1
  Vector<T, Lanes> attention;           ///< their weights; 0 if they take no part
};

/// A point out of range, or at a location that is not finite, gets the cell (height, -1), which is beside the
/// map, and its weight, which may be anything, takes no part.
template <int Lanes, typename T>
[[gnu::always_inline]] inline Points<T, Lanes> locate(const BorderedLevel& level, const T* location,
                                                      const T* attention) {
  using Numbers = Vector<T, Lanes>;
  using Integers = Vector<IntOf<T>, Lanes>;
  const auto width = static_cast<IntOf<T>>(level.width), height = static_cast<IntOf<T>>(level.height);
  const T wide = static_cast<T>(width), high = static_cast<T>(height);
  Numbers x, y;
  split_pairs<T, Lanes>(load<T, Lanes>(location), load<T, Lanes>(location + Lanes), x, y);
  x = x * wide - T(0.5);
  y = y * high - T(0.5);
  // False for NaN. Sides beyond 2^24 may have been rounded up: hence integers are compared as well.
  const auto in_range = (x > T(-1)) & (x < wide) & (y > T(-1)) & (y < high);
  const Numbers zero{};
  const Numbers x_in = in_range ? x : zero, y_in = in_range ? y : zero;
  // floor() by truncation: exact, since both are between -1 and 2^31.
  Integers column = converted<IntOf<T>, Lanes>(x_in), row = converted<IntOf<T>, Lanes>(y_in);
  column -= x_in < converted<T, Lanes>(column) ? Integers{} + 1 : Integers{};
  row -= y_in < converted<T, Lanes>(row) ? Integers{} + 1 : Integers{};
  const auto in = in_range & (column < width) & (row < height);
  return {in ? column : Integers{} - 1, in ? row : Integers{} + height, x_in - converted<T, Lanes>(column),
          y_in - converted<T, Lanes>(row), in ? load<T, Lanes>(attention) : zero};
}

/// Writes the products a w of `Lanes` points, of which the first is number i of all.
template <int Lanes, typename T>
[[gnu::always_inline]] inline void weigh(const Points<T, Lanes>& points, std::int64_t i,
                                         const Workspace<T>& w) {
  const Vector<T, Lanes> lower = points.attention * points.lower,
                         upper = points.attention * (T(1) - points.lower);
  const Vector<T, Lanes> left = T(1) - points.right;
  store<T, Lanes>(upper * left, w.weight[0] + i);
  store<T, Lanes>(upper * points.right, w.weight[1] + i);
  store<T, Lanes>(lower * left, w.weight[2] + i);
  store<T, Lanes>(lower * points.right, w.weight[3] + i);
}

/// Writes where the cells of `Lanes` points begin in a level's bordered map.
template <int Lanes, typename T>
[[gnu::always_inline]] inline void write_cells(const BorderedLevel& level, std::int64_t channels,
                                               const Points<T, Lanes>& points, std::int64_t* cell) {
  const std::int64_t down = level.pitch() * channels;
  const auto row = converted<std::int64_t, Lanes>(points.row),
             column = converted<std::int64_t, Lanes>(points.column);
  store<std::int64_t, Lanes>((row + 1) * down + (column + 1) * channels, cell);
}

/// Where the pixels of a level's points lie in `value`, from point number `first` of all on; zeros for those
/// outside the map.
template <typename T, typename Element>
void find_pixels(const Problem& p, const HeadTask& task, const BorderedLevel& level, std::int64_t count,
                 std::int64_t first, const Workspace<T>& w) {
  const std::int64_t pitch = p.M * p.D;
  const Element* map =
      static_cast<const Element*>(p.value) + ((task.n * p.S + level.first_row) * p.M + task.m) * p.D;
  const auto* zeros = reinterpret_cast<const Element*>(w.zeros);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t x = w.column[i], y = w.row[i];
    const Element* pixel = map + (y * level.width + x) * pitch;
    const bool left = x >= 0, right = x + 1 < level.width;
    const bool upper = y >= 0 && y < level.height, lower = y + 1 < level.height;
    const Element* const corners[4] = {upper && left ? pixel : zeros, upper && right ? pixel + pitch : zeros,
                                       lower && left ? pixel + level.width * pitch : zeros,
                                       lower && right ? pixel + (level.width + 1) * pitch : zeros};
    for (int k = 0; k < 4; ++k) w.pixel[k][first + i] = corners[k];
  }
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn::cpu
