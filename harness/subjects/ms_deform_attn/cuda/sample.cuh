// Where a point samples its map, worked out once for all channels of a (query, head).
#pragma once

#include "subjects/ms_deform_attn/cuda/elements.cuh"
#include "subjects/ms_deform_attn/cuda/task.h"

#include <cstdint>

namespace deformdiff::worker::ms_deform_attn {

/// A Task with its types: T of value, P of locations and weights. A (query, head) is counted over all batch
/// elements.
template <typename T, typename P>
struct Problem {
  std::int64_t query_heads;  ///< N * Q * M
  std::int64_t rows, queries;
  int heads, channels, points;  ///< points: those of a level
  int samples;                  ///< of a (query, head): L * P
  const std::int64_t* spatial_shapes;
  const std::int64_t* level_start_index;
  const T* value;
  const P* sampling_loc;
  const P* attn_weight;

  explicit Problem(const Task& task)
      : query_heads(task.N * task.Q * task.M),
        rows(task.S),
        queries(task.Q),
        heads(static_cast<int>(task.M)),
        channels(static_cast<int>(task.D)),
        points(static_cast<int>(task.P)),
        samples(static_cast<int>(task.L * task.P)),
        spatial_shapes(task.spatial_shapes),
        level_start_index(task.level_start_index),
        value(static_cast<const T*>(task.value)),
        sampling_loc(static_cast<const P*>(task.sampling_loc)),
        attn_weight(static_cast<const P*>(task.attn_weight)) {}

  /// Between pixels.
  __device__ int pitch() const { return heads * channels; }
  /// In value and its gradient: channel 0 of row 0.
  __device__ std::int64_t first_element(std::int64_t query_head) const {
    const std::int64_t n = query_head / heads / queries;
    return (n * rows * heads + query_head % heads) * channels;
  }
};

/// Bits of Sample::corners: upper left, upper right, lower left, lower right; and that the point is in range.
inline constexpr int kCorners = 15;
inline constexpr int kInRange = 16;

template <typename A>
struct Sample {
  A lower, right;  ///< bilinear weights of the lower row and the right column
  A attention;
  int corners;         ///< those inside the map, and kInRange; 0 for a point that takes no part
  std::int64_t pixel;  ///< row of `value` of the upper left corner, which may lie outside the map
  std::int64_t width;  ///< of the map

  /// The bilinear weight of a corner is the product of both.
  __device__ A vertical(int corner) const { return corner / 2 == 1 ? lower : 1 - lower; }
  __device__ A horizontal(int corner) const { return corner % 2 == 1 ? right : 1 - right; }
  /// From the upper left corner, in rows of `value`.
  __device__ std::int64_t offset(int corner) const { return (corner / 2 == 1 ? width : 0) + corner % 2; }
};

/// Sample `s` of a (query, head).
template <typename T, typename P>
__device__ Sample<Arithmetic<T>> locate(const Problem<T, P>& problem, std::int64_t query_head, int s) {
  using A = Arithmetic<T>;
  const int l = s / problem.points;
  const std::int64_t height = problem.spatial_shapes[2 * l];
  const std::int64_t width = problem.spatial_shapes[2 * l + 1];
  const std::int64_t at = query_head * problem.samples + s;
  const A x =
      static_cast<A>(widened(problem.sampling_loc[2 * at])) * static_cast<A>(width) - static_cast<A>(0.5);
  const A y = static_cast<A>(widened(problem.sampling_loc[2 * at + 1])) * static_cast<A>(height) -
              static_cast<A>(0.5);
  // False for NaN and infinities: such a point adds exactly 0, whatever its weight.
  if (!(x > -1 && y > -1 && x < static_cast<A>(width) && y < static_cast<A>(height))) {
    return {0, 0, 0, 0, 0, width};
  }
  const A x_floor = floor(x);
  const A y_floor = floor(y);
  const auto x0 = static_cast<std::int64_t>(x_floor);
  const auto y0 = static_cast<std::int64_t>(y_floor);
  // Both sides of every corner are guarded: floor() and the range test need not agree to the last bit.
  const int left = x0 >= 0 && x0 < width ? 5 : 0;
  const int right = x0 + 1 >= 0 && x0 + 1 < width ? 10 : 0;
  const int upper = y0 >= 0 && y0 < height ? 3 : 0;
  const int lower = y0 + 1 >= 0 && y0 + 1 < height ? 12 : 0;
  return {y - y_floor,
          x - x_floor,
          static_cast<A>(widened(problem.attn_weight[at])),
          kInRange | ((left | right) & (upper | lower)),
          problem.level_start_index[l] + y0 * width + x0,
          width};
}

inline constexpr int kWarpsOfBlock = 4;
/// At least so many on a multiprocessor: leaves each thread 80 registers, with which nothing is spilled.
inline constexpr int kBlocksOfProcessor = 6;
/// What a warp has in shared memory at a time.
inline constexpr int kSamplesOfWarp = 64;

/// How a warp is shared out: a power of two of its lanes to a (query, head), each with neighbouring channels.
struct WarpShares {
  int lanes;  ///< of a (query, head)

  __host__ __device__ int query_heads() const { return 32 / lanes; }
  /// Of each (query, head), that are in shared memory at a time.
  __host__ __device__ int samples() const { return kSamplesOfWarp / query_heads(); }
  /// Warps that so many (query, head)s take, one after the other or at once.
  __host__ __device__ std::int64_t groups(std::int64_t all) const {
    return (all + query_heads() - 1) / query_heads();
  }
};

/// The next samples of the (query, head)s of a warp, from `first_sample` on, into its shared memory: as many
/// of each as fit. All lanes call it; between two warp barriers.
template <typename T, typename P>
__device__ void locate_together(const Problem<T, P>& problem, WarpShares shares,
                                std::int64_t first_query_head, int first_sample,
                                Sample<Arithmetic<T>>* samples) {
  const int of_each = shares.samples();
  __syncwarp();
  for (int slot = static_cast<int>(threadIdx.x % 32); slot < kSamplesOfWarp; slot += 32) {
    const std::int64_t query_head = first_query_head + slot / of_each;
    const int s = first_sample + slot % of_each;
    if (query_head < problem.query_heads && s < problem.samples)
      samples[slot] = locate(problem, query_head, s);
  }
  __syncwarp();
}

}  // namespace deformdiff::worker::ms_deform_attn
