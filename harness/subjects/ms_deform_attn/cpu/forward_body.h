// The forward of one head:
//
//     output[c] = sum over points of a (w00 v00[c] + w01 v01[c] + w10 v10[c] + w11 v11[c])
//
// with a point's attention weight a, the channels v of the four pixels of its cell, and their bilinear
// weights w. What does not depend on c is computed first, for a block of queries and vectorised over their
// points; then the sums, a query at a time, vectorised over channels, which stay in registers from the first
// point to the last.
#pragma once

#include "subjects/ms_deform_attn/cpu/kernels.h"
#include "subjects/ms_deform_attn/cpu/samples.h"
#include "subjects/ms_deform_attn/cpu/workspace.h"

#include <cstring>

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

/// What the sums read of a point: its four pixels, from some channel on.
template <typename Element>
struct Cell {
  const Element *pixel00, *pixel01, *pixel10, *pixel11;
};

template <typename T>
struct MapCells {
  const T* map;
  const BorderedLevel* levels;
  const std::int64_t* cell;
  std::int64_t channels;

  [[gnu::always_inline]] auto on_level(std::int64_t l) const {
    return [
      begin = map + levels[l].offset, right = channels, down = levels[l].pitch() * channels, cell = cell
    ](std::int64_t i, std::int64_t c) __attribute__((always_inline)) {
      const T* pixel = begin + cell[i] + c;
      return Cell<T>{pixel, pixel + right, pixel + down, pixel + down + right};
    };
  }
};

template <typename Element>
struct ValueCells {
  const void* const* const (&pixel)[4];

  [[gnu::always_inline]] auto on_level(std::int64_t) const {
    return [this](std::int64_t i, std::int64_t c) __attribute__((always_inline)) {
      const auto at = [&](int k) { return static_cast<const Element*>(pixel[k][i]) + c; };
      return Cell<Element>{at(0), at(1), at(2), at(3)};
    };
  }
};

/// `Count` vectors of channels of one query, from channel `c` on. Its first point on level l is first + l *
/// stride.
template <int Lanes, int Count, typename T, typename Cells>
[[gnu::always_inline]] inline void sum_points(const Problem& p, const Cells& cells, const Workspace<T>& w,
                                              std::int64_t first, std::int64_t stride, std::int64_t c,
                                              T* output) {
  // Two sums of each: an addition need not wait for the one before.
  Vector<T, Lanes> upper[Count] = {}, lower[Count] = {};
  for (std::int64_t l = 0; l < p.L; ++l) {
    const auto cell_of = cells.on_level(l);
    for (std::int64_t i = first + l * stride; i < first + l * stride + p.P; ++i) {
      const auto cell = cell_of(i, c);
      const T w00 = w.weight[0][i], w01 = w.weight[1][i], w10 = w.weight[2][i], w11 = w.weight[3][i];
      for (int k = 0; k < Count; ++k) {
        upper[k] += w00 * load<T, Lanes>(cell.pixel00 + k * Lanes);
        lower[k] += w10 * load<T, Lanes>(cell.pixel10 + k * Lanes);
        upper[k] += w01 * load<T, Lanes>(cell.pixel01 + k * Lanes);
        lower[k] += w11 * load<T, Lanes>(cell.pixel11 + k * Lanes);
      }
    }
  }
  for (int k = 0; k < Count; ++k) store<T, Lanes>(upper[k] + lower[k], output + c + k * Lanes);
}

/// All channels of one query.
template <int Lanes, typename T, typename Cells>
[[gnu::always_inline]] inline void sum_channels(const Problem& p, const Cells& cells, const Workspace<T>& w,
                                                std::int64_t first, std::int64_t stride,
                                                std::int64_t channels, T* output, std::int64_t c = 0) {
  for (; c + 4 * Lanes <= channels; c += 4 * Lanes) {
    sum_points<Lanes, 4>(p, cells, w, first, stride, c, output);
  }
  if (c + 2 * Lanes <= channels) {
    sum_points<Lanes, 2>(p, cells, w, first, stride, c, output);
    c += 2 * Lanes;
  }
  if (c + Lanes <= channels) {
    sum_points<Lanes, 1>(p, cells, w, first, stride, c, output);
    c += Lanes;
  }
  if constexpr (Lanes > 1) {
    if (c < channels) sum_channels<Lanes / 2>(p, cells, w, first, stride, channels, output, c);
  }
}

template <typename T>
void forward(const ForwardProblem& p, const HeadTask& task, std::int64_t begin, std::int64_t end,
             const T* map) {
  Workspace<T> w{};
  lay_out(p, task.workspace, w);
  const std::int64_t channels = padded_channels(p.D), block = block_queries(p), stride = block * p.P;
  const MapCells<T> cells{map, task.levels, w.cell, channels};
  for (std::int64_t q = begin; q < end; q += block) {
    const std::int64_t queries = q + block < end ? block : end - q, count = queries * p.P;
    const std::int64_t row = (task.n * p.Q + q) * p.M + task.m;
    for (std::int64_t l = 0; l < p.L; ++l) {
      const BorderedLevel& level = task.levels[l];
      read_points(p, (row * p.L + l) * p.P, queries, w);
      for_vectors<kLanes<T>>(count, [&]<int Lanes>(std::int64_t i) {
        const auto points = locate<Lanes>(level, w.location + 2 * i, w.attention + i);
        weigh<Lanes>(points, l * stride + i, w);
        write_cells<Lanes>(level, channels, points, w.cell + l * stride + i);
      });
    }
    for (std::int64_t i = 0; i < queries; ++i) {
      if (q + i + block < end) fetch_points(p, (row + (i + block) * p.M) * p.L * p.P, p.L * p.P);
      sum_channels<kLanes<T>>(p, cells, w, i * p.P, stride, channels, w.sums);
      write_elements(p.value_type, w.sums, p.D, p.output, (row + i * p.M) * p.D);
    }
  }
}

template <typename T, typename Element>
void forward_from_elements(const ForwardProblem& p, const HeadTask& task, std::int64_t begin,
                           std::int64_t end) {
  Workspace<T> w{};
  lay_out(p, task.workspace, w);
  std::memset(w.zeros, 0, static_cast<std::size_t>(p.D) * sizeof(Element));
  const std::int64_t block = block_queries(p), stride = block * p.P;
  const ValueCells<Element> cells{w.pixel};
  for (std::int64_t q = begin; q < end; q += block) {
    const std::int64_t queries = q + block < end ? block : end - q, count = queries * p.P;
    const std::int64_t row = (task.n * p.Q + q) * p.M + task.m;
    for (std::int64_t l = 0; l < p.L; ++l) {
      const BorderedLevel& level = task.levels[l];
      read_points(p, (row * p.L + l) * p.P, queries, w);
      for_vectors<kLanes<T>>(count, [&]<int Lanes>(std::int64_t i) {
        const auto points = locate<Lanes>(level, w.location + 2 * i, w.attention + i);
        weigh<Lanes>(points, l * stride + i, w);
        store<IntOf<T>, Lanes>(points.column, w.column + i);
        store<IntOf<T>, Lanes>(points.row, w.row + i);
      });
      find_pixels<T, Element>(p, task, level, count, l * stride, w);
    }
    for (std::int64_t i = 0; i < queries; ++i) {
      sum_channels<kLanes<T>>(p, cells, w, i * p.P, stride, p.D, w.sums);
      write_elements(p.value_type, w.sums, p.D, p.output, (row + i * p.M) * p.D);
    }
  }
}

template <typename T>
void forward_from_value(const ForwardProblem& p, const HeadTask& task, std::int64_t begin, std::int64_t end) {
  with_element<T>(p.value_type,
                  [&]<typename Element>(Element) { forward_from_elements<T, Element>(p, task, begin, end); });
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn::cpu
