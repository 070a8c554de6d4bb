// Device code of ms_deform_attn, backward. Compiled by nvcc (kernels.cu) and for the host
// (emulated_kernels.cpp).
#pragma once

#include "subjects/ms_deform_attn/cuda/sample.cuh"

#include <cassert>

namespace deformdiff::worker::ms_deform_attn {

/// Where gradients go; what T and P are to Problem, they are here.
template <typename T, typename P>
struct GradientArrays {
  const T* grad_output;
  Arithmetic<T>* grad_value;
  P* grad_sampling_loc;
  P* grad_attn_weight;
  bool adds_to_value;  ///< else grad_value is left alone

  explicit GradientArrays(const BackwardTask& task)
      : grad_output(static_cast<const T*>(task.grad_output)),
        grad_value(static_cast<Arithmetic<T>*>(task.grad_value)),
        grad_sampling_loc(static_cast<P*>(task.grad_sampling_loc)),
        grad_attn_weight(static_cast<P*>(task.grad_attn_weight)),
        adds_to_value(!task.deterministic) {}
};

/// What one point has of the gradients, summed over channels; of x and y in pixels, without its weight.
template <typename A>
struct PointGradients {
  A weight = 0, x = 0, y = 0;
};

/// What kWidth channels of a point give. `map` and `grad_map` point to the first of them in row 0. With
/// kInside all four corners are in the map; else those outside are skipped. Unless `grad_map` is null the
/// gradient of value is added there: other threads add to the same pixels at the same time, in any order.
template <bool kInside, int kWidth, typename T>
__device__ void distribute(const Sample<Arithmetic<T>>& sample, const T* map, Arithmetic<T>* grad_map,
                           int pitch, const T* grad_output, PointGradients<Arithmetic<T>>& sums) {
  using A = Arithmetic<T>;
  A grad[kWidth];
  load<T, kWidth>(grad_output, grad);
#pragma unroll
  for (int corner = 0; corner < 4; ++corner) {
    if (!kInside && (sample.corners >> corner & 1) == 0) continue;
    const A vertical = sample.vertical(corner);
    const A horizontal = sample.horizontal(corner);
    const A weight = vertical * horizontal;
    const A along_x = corner % 2 == 1 ? vertical : -vertical;
    const A along_y = corner / 2 == 1 ? horizontal : -horizontal;
    const std::int64_t at = (sample.pixel + sample.offset(corner)) * pitch;
    A numbers[kWidth];
    load<T, kWidth>(map + at, numbers);
    A added[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      sums.weight += grad[i] * (weight * numbers[i]);
      sums.x += grad[i] * (along_x * numbers[i]);
      sums.y += grad[i] * (along_y * numbers[i]);
      added[i] = sample.attention * grad[i] * weight;
    }
    if (grad_map != nullptr) add<A, kWidth>(grad_map + at, added);
  }
}

/// Launch: one-dimensional grid of any size, blocks of kWarpsOfBlock warps. A warp does as many (query,
/// head)s as its shares say, whose lanes go through all channels, then others.
template <typename T, typename P, int kWidth>
__global__ void __launch_bounds__(32 * kWarpsOfBlock, kBlocksOfProcessor)
    backward_kernel(const Problem<T, P> problem, const WarpShares shares, const GradientArrays<T, P> arrays) {
  assert(gridDim.y == 1 && gridDim.z == 1 && blockDim.x == 32 * kWarpsOfBlock && blockDim.y == 1);
  using A = Arithmetic<T>;
  __shared__ Sample<A> shared[kWarpsOfBlock][kSamplesOfWarp];
  const int lane = static_cast<int>(threadIdx.x % 32);
  Sample<A>* const samples = shared[threadIdx.x / 32];
  const int of_each = shares.samples();
  const std::int64_t units = shares.groups(problem.query_heads);
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kWarpsOfBlock;
  for (std::int64_t unit = static_cast<std::int64_t>(blockIdx.x) * kWarpsOfBlock + threadIdx.x / 32;
       unit < units; unit += stride) {
    const std::int64_t query_head = unit * shares.query_heads() + lane / shares.lanes;
    const bool takes_part = query_head < problem.query_heads;
    const std::int64_t first = problem.first_element(query_head);
    const T* const grad_output = arrays.grad_output + query_head * problem.channels;
    for (int s = 0; s < problem.samples; s += of_each) {
      locate_together(problem, shares, unit * shares.query_heads(), s, samples);
      // Every lane goes through the loop: they add up together.
      for (int i = 0; i < of_each && s + i < problem.samples; ++i) {
        const Sample<A>& sample = samples[lane / shares.lanes * of_each + i];
        const int corners = takes_part ? sample.corners : 0;
        PointGradients<A> sums;
        if (corners != 0) {
          for (int c = lane % shares.lanes * kWidth; c < problem.channels; c += shares.lanes * kWidth) {
            const T* const map = problem.value + first + c;
            A* const grad_map = arrays.adds_to_value ? arrays.grad_value + first + c : nullptr;
            if (corners == (kInRange | kCorners)) {
              distribute<true, kWidth>(sample, map, grad_map, problem.pitch(), grad_output + c, sums);
            } else {
              distribute<false, kWidth>(sample, map, grad_map, problem.pitch(), grad_output + c, sums);
            }
          }
        }
        for (int step = shares.lanes / 2; step > 0; step /= 2) {
          sums.weight += __shfl_xor_sync(0xffffffff, sums.weight, step);
          sums.x += __shfl_xor_sync(0xffffffff, sums.x, step);
          sums.y += __shfl_xor_sync(0xffffffff, sums.y, step);
        }
        if (!takes_part || lane % shares.lanes != 0) continue;
        const std::int64_t at = query_head * problem.samples + s + i;
        const std::int64_t height = problem.spatial_shapes[2 * ((s + i) / problem.points)];
        // The side last: a huge weight times a side may overflow where the slope is 0.
        const A x = sample.attention * sums.x * static_cast<A>(sample.width);
        const A y = sample.attention * sums.y * static_cast<A>(height);
        arrays.grad_sampling_loc[2 * at] = narrowed<P>(corners != 0 ? x : 0);
        arrays.grad_sampling_loc[2 * at + 1] = narrowed<P>(corners != 0 ? y : 0);
        arrays.grad_attn_weight[at] = narrowed<P>(sums.weight);
      }
    }
  }
}

/// grad_value alone, each element added to by one thread in the order of queries, levels and points. The rows
/// of `value` are divided into `parts`, and each block goes through all samples of its batch element and
/// head. Launch: one-dimensional grid of any size, blocks of one warp.
template <typename T, typename P>
__global__ void __launch_bounds__(32)
    gather_kernel(const Problem<T, P> problem, const int parts, const GradientArrays<T, P> arrays) {
  assert(gridDim.y == 1 && gridDim.z == 1 && blockDim.x == 32 && blockDim.y == 1);
  using A = Arithmetic<T>;
  __shared__ Sample<A> samples[32];
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t count = problem.queries * problem.samples;
  const std::int64_t rows_of_part = (problem.rows + parts - 1) / parts;
  const std::int64_t blocks = problem.query_heads / problem.queries * parts;
  for (std::int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const std::int64_t first_row = block % parts * rows_of_part;
    const std::int64_t end_row = min(first_row + rows_of_part, problem.rows);
    const std::int64_t m = block / parts % problem.heads;
    const std::int64_t n = block / parts / problem.heads;
    const auto query_head_of = [&](std::int64_t sample) {
      return (n * problem.queries + sample / problem.samples) * problem.heads + m;
    };
    A* const grad_map = arrays.grad_value + problem.first_element(query_head_of(0));
    for (std::int64_t base = 0; base < count; base += 32) {
      int corners = 0;
      if (base + lane < count) {
        Sample<A> sample =
            locate(problem, query_head_of(base + lane), static_cast<int>((base + lane) % problem.samples));
        for (int corner = 0; corner < 4; ++corner) {
          const std::int64_t row = sample.pixel + sample.offset(corner);
          if (row >= first_row && row < end_row) corners |= sample.corners & 1 << corner;
        }
        sample.corners = corners;
        samples[lane] = sample;
      }
      __syncwarp();
      for (unsigned waiting = __ballot_sync(0xffffffff, corners != 0); waiting != 0; waiting &= waiting - 1) {
        const int next = __ffs(static_cast<int>(waiting)) - 1;
        const Sample<A>& sample = samples[next];
        const T* const grad_output = arrays.grad_output + query_head_of(base + next) * problem.channels;
        for (int c = lane; c < problem.channels; c += 32) {
          const A grad = sample.attention * widened(grad_output[c]);
          for (int corner = 0; corner < 4; ++corner) {
            if ((sample.corners >> corner & 1) == 0) continue;
            grad_map[(sample.pixel + sample.offset(corner)) * problem.pitch() + c] +=
                grad * (sample.vertical(corner) * sample.horizontal(corner));
          }
        }
      }
      __syncwarp();
    }
  }
}

}  // namespace deformdiff::worker::ms_deform_attn
