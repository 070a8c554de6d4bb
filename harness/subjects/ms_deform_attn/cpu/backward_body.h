// The backward of one head on one level. With g = grad_output, a point's attention weight a, the pixels v of
// its cell and their bilinear weights w, and z = sum over c of g[c] v[c] of each pixel:
//
//     grad_value[pixel, c]  = sum over the points that reach it of a w g[c]
//     grad_attn_weight      = w00 z00 + w01 z01 + w10 z10 + w11 z11
//     grad_sampling_loc x   = a width  (upper (z01 - z00) + lower (z11 - z10))
//     grad_sampling_loc y   = a height (left  (z10 - z00) + right (z11 - z01))
//
// where right and lower are how far the point lies from its upper left pixel, left = 1 - right, upper = 1 -
// lower. Cells and weights are computed first, for a block of queries and vectorised over their points; then,
// point by point and vectorised over channels, the sums z and the additions to the map of gradients; last,
// over points again, the other gradients. Every sum has an order of its own that no number of threads
// changes: queries, then points.
#pragma once

#include "subjects/ms_deform_attn/cpu/kernels.h"
#include "subjects/ms_deform_attn/cpu/samples.h"
#include "subjects/ms_deform_attn/cpu/vectors.h"
#include "subjects/ms_deform_attn/cpu/workspace.h"

#include <cstring>

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

/// A sum of `Lanes` partial sums, as fewer.
template <typename T, int Lanes>
[[gnu::always_inline]] inline Vector<T, 4> as_four(Vector<T, Lanes> sums) {
  if constexpr (Lanes == 1) {
    return Vector<T, 4>{sums};
  } else if constexpr (Lanes == 2) {
    return Vector<T, 4>{sums[0], sums[1]};
  } else if constexpr (Lanes == 4) {
    return sums;
  } else {
    return as_four<T, Lanes / 2>(halves_added(sums, std::make_index_sequence<Lanes / 2>()));
  }
}

/// The sums of the elements of four vectors.
template <typename T>
[[gnu::always_inline]] inline Vector<T, 4> sums_of(const Vector<T, 4> (&v)[4]) {
  Vector<T, 4> even, odd, even_of_others, odd_of_others;
  split_pairs<T, 4>(v[0], v[1], even, odd);
  split_pairs<T, 4>(v[2], v[3], even_of_others, odd_of_others);
  split_pairs<T, 4>(even + odd, even_of_others + odd_of_others, even, odd);
  return even + odd;
}

/// What the four pixels of a cell are and get.
template <typename T>
struct Gather {
  const T* pixel[4];
  T* gradient[4];
  T weight[4];  ///< a w
};

/// Adds a w g to the gradients of a cell's pixels and g times the pixels to `sums`, from channel `c` on.
template <int Lanes, typename T>
[[gnu::always_inline]] inline void visit_cell(const Gather<T>& cell, const T* grad_output,
                                              std::int64_t channels, Vector<T, 4> (&sums)[4],
                                              std::int64_t c = 0) {
  Vector<T, Lanes> partial[4] = {};
  for (; c + Lanes <= channels; c += Lanes) {
    const auto g = load<T, Lanes>(grad_output + c);
    for (int k = 0; k < 4; ++k) {
      partial[k] += g * load<T, Lanes>(cell.pixel[k] + c);
      store<T, Lanes>(load<T, Lanes>(cell.gradient[k] + c) + cell.weight[k] * g, cell.gradient[k] + c);
    }
  }
  for (int k = 0; k < 4; ++k) sums[k] += as_four<T, Lanes>(partial[k]);
  if constexpr (Lanes > 1) {
    if (c < channels) visit_cell<Lanes / 2>(cell, grad_output, channels, sums, c);
  }
}

/// Cells, weights and distances of a block's points.
template <typename T>
void locate_points(const BorderedLevel& level, std::int64_t channels, std::int64_t count,
                   const Workspace<T>& w) {
  for_vectors<kLanes<T>>(count, [&]<int Lanes>(std::int64_t i) {
    const auto points = locate<Lanes>(level, w.location + 2 * i, w.attention + i);
    weigh<Lanes>(points, i, w);
    write_cells<Lanes>(level, channels, points, w.cell + i);
    store<IntOf<T>, Lanes>(points.column, w.column + i);
    store<IntOf<T>, Lanes>(points.row, w.row + i);
    store<T, Lanes>(points.right, w.right + i);
    store<T, Lanes>(points.lower, w.lower + i);
    store<T, Lanes>(points.attention, w.attention + i);
  });
}

/// The gradients of a block's locations and weights. Pixels beside the map have no part in them, whatever g
/// is.
template <typename T>
void gradients_of_points(const BorderedLevel& level, std::int64_t count, const Workspace<T>& w) {
  for_vectors<kLanes<T>>(count, [&]<int Lanes>(std::int64_t i) {
    using Numbers = Vector<T, Lanes>;
    const auto part = [&](int k) { return load<T, Lanes>(w.product + 4 * i + k * Lanes); };
    Numbers even, odd, even_of_others, odd_of_others, z00, z01, z10, z11;
    split_pairs<T, Lanes>(part(0), part(1), even, odd);
    split_pairs<T, Lanes>(part(2), part(3), even_of_others, odd_of_others);
    split_pairs<T, Lanes>(even, even_of_others, z00, z10);
    split_pairs<T, Lanes>(odd, odd_of_others, z01, z11);
    const auto column = load<IntOf<T>, Lanes>(w.column + i), row = load<IntOf<T>, Lanes>(w.row + i);
    const auto width = static_cast<IntOf<T>>(level.width), height = static_cast<IntOf<T>>(level.height);
    const auto in_left = column >= 0;
    const auto in_right = column < width - 1;
    const auto in_upper = (row >= 0) & (row < height);
    const auto in_lower = row < height - 1;
    const Numbers zero{};
    z00 = (in_upper & in_left) ? z00 : zero;
    z01 = (in_upper & in_right) ? z01 : zero;
    z10 = (in_lower & in_left) ? z10 : zero;
    z11 = (in_lower & in_right) ? z11 : zero;
    const auto right = load<T, Lanes>(w.right + i), lower = load<T, Lanes>(w.lower + i);
    const auto attention = load<T, Lanes>(w.attention + i);
    const Numbers left = T(1) - right, upper = T(1) - lower;
    // The side last: a huge weight times a side may overflow where the slope is 0.
    const Numbers along_x = (attention * (upper * (z01 - z00) + lower * (z11 - z10))) * static_cast<T>(width);
    const Numbers along_y = (attention * (left * (z10 - z00) + right * (z11 - z01))) * static_cast<T>(height);
    Numbers low, high;
    join_pairs<T, Lanes>(along_x, along_y, low, high);
    store<T, Lanes>(low, w.grad_location + 2 * i);
    store<T, Lanes>(high, w.grad_location + 2 * i + Lanes);
    store<T, Lanes>(upper * (left * z00 + right * z01) + lower * (left * z10 + right * z11),
                    w.grad_attention + i);
  });
}

/// The points of a block of queries on one level; cell_of(point) is what to gather there. Meanwhile the
/// points of the next block are fetched, from row `next` of N*Q*M on; of its queries there are
/// `next_queries`.
template <typename T, typename CellOf>
[[gnu::always_inline]] inline void visit_points(const BackwardProblem& p, std::int64_t l,
                                                std::int64_t queries, std::int64_t next,
                                                std::int64_t next_queries, std::int64_t channels,
                                                const Workspace<T>& w, const CellOf& cell_of) {
  constexpr int kWidest = kLanes<T> < 4 ? 4 : kLanes<T>;
  for (std::int64_t i = 0, point = 0; i < queries; ++i) {
    if (i < next_queries) {
      fetch_points(p, ((next + i * p.M) * p.L + l) * p.P, p.P);
      fetch(p.value_type, p.grad_output, (next + i * p.M) * p.D, p.D);
    }
    for (const std::int64_t end = point + p.P; point < end; ++point) {
      Vector<T, 4> sums[4] = {};
      visit_cell<kWidest>(cell_of(point), w.grad_output + i * padded_channels(p.D), channels, sums);
      store<T, 4>(sums_of<T>(sums), w.product + 4 * point);
    }
  }
}

template <typename T>
void write_gradients_of_points(const BackwardProblem& p, std::int64_t first, std::int64_t queries,
                               const Workspace<T>& w) {
  for (std::int64_t q = 0, i = first; q < queries; ++q, i += p.M * p.L * p.P) {
    write_elements(p.point_type, w.grad_location + 2 * q * p.P, 2 * p.P, p.grad_sampling_loc, 2 * i);
    write_elements(p.point_type, w.grad_attention + q * p.P, p.P, p.grad_attn_weight, i);
  }
}

/// All queries of a head on levels [first_level, last_level), a block of queries at a time: work(l, queries,
/// next, next_queries) visits the block's points on a level, as visit_points() does.
template <typename T, typename Work>
[[gnu::always_inline]] inline void for_blocks(const BackwardProblem& p, const HeadTask& task,
                                              std::int64_t first_level, std::int64_t last_level,
                                              const Workspace<T>& w, const Work& work) {
  const std::int64_t channels = padded_channels(p.D), block = block_queries(p);
  std::memset(w.grad_output, 0, static_cast<std::size_t>(block * channels) * sizeof(T));
  for (std::int64_t q = 0; q < p.Q; q += block) {
    const std::int64_t queries = q + block < p.Q ? block : p.Q - q;
    const std::int64_t row = (task.n * p.Q + q) * p.M + task.m;
    for (std::int64_t i = 0; i < queries; ++i) {
      read_elements(p.value_type, p.grad_output, (row + i * p.M) * p.D, p.D, w.grad_output + i * channels);
    }
    for (std::int64_t l = first_level; l < last_level; ++l) {
      const std::int64_t first = (row * p.L + l) * p.P;
      read_points(p, first, queries, w);
      locate_points(task.levels[l], channels, queries * p.P, w);
      work(l, queries, row + queries * p.M, p.Q - q - queries);
      gradients_of_points(task.levels[l], queries * p.P, w);
      write_gradients_of_points(p, first, queries, w);
    }
  }
}

template <typename T>
void backward(const BackwardProblem& p, const HeadTask& task, std::int64_t first_level,
              std::int64_t last_level, const T* map, T* gradients) {
  Workspace<T> w{};
  lay_out(p, task.workspace, w);
  const std::int64_t channels = padded_channels(p.D);
  for (std::int64_t l = first_level; l < last_level; ++l) {
    const auto bytes = static_cast<std::size_t>(task.levels[l].pixels() * channels) * sizeof(T);
    std::memset(gradients + task.levels[l].offset, 0, bytes);
  }
  for_blocks(p, task, first_level, last_level, w,
             [&](std::int64_t l, std::int64_t queries, std::int64_t next, std::int64_t next_queries) {
               const BorderedLevel& level = task.levels[l];
               const std::int64_t down = level.pitch() * channels;
               visit_points(p, l, queries, next, next_queries, channels, w, [&](std::int64_t i) {
                 const T* v = map + level.offset + w.cell[i];
                 T* to = gradients + level.offset + w.cell[i];
                 return Gather<T>{{v, v + channels, v + down, v + down + channels},
                                  {to, to + channels, to + down, to + down + channels},
                                  {w.weight[0][i], w.weight[1][i], w.weight[2][i], w.weight[3][i]}};
               });
             });
}

template <typename T>
void backward_into_value(const BackwardProblem& p, const HeadTask& task) {
  Workspace<T> w{};
  lay_out(p, task.workspace, w);
  std::memset(w.zeros, 0, static_cast<std::size_t>(p.D) * sizeof(T));
  const auto* value = static_cast<const T*>(p.value);
  auto* gradients = static_cast<T*>(p.grad_value);
  for_blocks(p, task, 0, p.L, w,
             [&](std::int64_t l, std::int64_t queries, std::int64_t next, std::int64_t next_queries) {
               find_pixels<T, T>(p, task, task.levels[l], queries * p.P, 0, w);
               visit_points(p, l, queries, next, next_queries, p.D, w, [&](std::int64_t i) {
                 Gather<T> cell;
                 for (int k = 0; k < 4; ++k) {
                   cell.pixel[k] = static_cast<const T*>(w.pixel[k][i]);
                   const bool outside = w.pixel[k][i] == w.zeros;
                   cell.gradient[k] = outside ? w.spilled : gradients + (cell.pixel[k] - value);
                   cell.weight[k] = w.weight[k][i];
                 }
                 return cell;
               });
             });
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn::cpu
