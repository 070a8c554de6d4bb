// Device code of ms_deform_attn, forward. Compiled by nvcc (kernels.cu) and for the host
// (emulated_kernels.cpp).
#pragma once

#include "subjects/ms_deform_attn/cuda/sample.cuh"

#include <cassert>

namespace deformdiff::worker::ms_deform_attn {

/// Adds what a point gives to kWidth channels. `map` points to the first of them in row 0 of `value`. With
/// kInside all four corners are in the map; else those outside are skipped: whatever lies there takes no
/// part.
template <bool kInside, int kWidth, typename T>
__device__ void attend(const Sample<Arithmetic<T>>& sample, const T* map, int pitch,
                       Arithmetic<T> (&sum)[kWidth]) {
  using A = Arithmetic<T>;
  const A upper = 1 - sample.lower;
  const A left = 1 - sample.right;
  const A weights[4] = {upper * left, upper * sample.right, sample.lower * left, sample.lower * sample.right};
  const T* const first = map + sample.pixel * pitch;
  A numbers[4][kWidth];
#pragma unroll
  for (int corner = 0; corner < 4; ++corner) {
    if (kInside || (sample.corners >> corner & 1) != 0) {
      load<T, kWidth>(first + sample.offset(corner) * pitch, numbers[corner]);
    } else {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) numbers[corner][i] = 0;
    }
  }
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    A interpolated = weights[0] * numbers[0][i];
#pragma unroll
    for (int corner = 1; corner < 4; ++corner) interpolated += weights[corner] * numbers[corner][i];
    sum[i] += sample.attention * interpolated;
  }
}

/// Launch: one-dimensional grid of any size, blocks of kWarpsOfBlock warps. A warp does kWidth channels a
/// lane of as many (query, head)s as its shares say, then others, until all channels of all are done.
template <typename T, typename P, int kWidth>
__global__ void __launch_bounds__(32 * kWarpsOfBlock, kBlocksOfProcessor)
    forward_kernel(const Problem<T, P> problem, const WarpShares shares, T* output) {
  assert(gridDim.y == 1 && gridDim.z == 1 && blockDim.x == 32 * kWarpsOfBlock && blockDim.y == 1);
  __shared__ Sample<Arithmetic<T>> shared[kWarpsOfBlock][kSamplesOfWarp];
  const int lane = static_cast<int>(threadIdx.x % 32);
  Sample<Arithmetic<T>>* const samples = shared[threadIdx.x / 32];
  const int of_each = shares.samples();
  const std::int64_t channels_at_once = shares.lanes * kWidth;
  const std::int64_t slices = (problem.channels + channels_at_once - 1) / channels_at_once;
  const std::int64_t units = shares.groups(problem.query_heads) * slices;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kWarpsOfBlock;
  for (std::int64_t unit = static_cast<std::int64_t>(blockIdx.x) * kWarpsOfBlock + threadIdx.x / 32;
       unit < units; unit += stride) {
    const std::int64_t first = unit / slices * shares.query_heads();
    const std::int64_t query_head = first + lane / shares.lanes;
    const std::int64_t channel = unit % slices * channels_at_once + lane % shares.lanes * kWidth;
    const bool takes_part = query_head < problem.query_heads && channel < problem.channels;
    const T* const map = problem.value + problem.first_element(query_head) + channel;
    Arithmetic<T> sum[kWidth] = {};
    for (int s = 0; s < problem.samples; s += of_each) {
      locate_together(problem, shares, first, s, samples);
      if (!takes_part) continue;
      for (int i = 0; i < of_each && s + i < problem.samples; ++i) {
        const Sample<Arithmetic<T>>& sample = samples[lane / shares.lanes * of_each + i];
        if (sample.corners == (kInRange | kCorners)) {
          attend<true>(sample, map, problem.pitch(), sum);
        } else if (sample.corners != 0) {
          attend<false>(sample, map, problem.pitch(), sum);
        }
      }
    }
    if (takes_part) store<T, kWidth>(output + query_head * problem.channels + channel, sum);
  }
}

}  // namespace deformdiff::worker::ms_deform_attn
