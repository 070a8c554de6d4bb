// Device code of ms_deform_attn, backward. Compiled by nvcc (kernel.cu) and by the host compiler over
// cuda_emulation.h (kernel_emulated.cpp).
#pragma once

#include "subjects/ms_deform_attn/backward_arguments.h"

#include <cassert>

namespace deformdiff::worker::ms_deform_attn {

/// What one point has of the gradients, summed over channels; of x and y in pixels, without its weight.
template <typename T>
struct PointGradients {
  T weight = 0, x = 0, y = 0;
};

/// The part of one corner, whose bilinear weight is vertical * horizontal. `x_sign` and `y_sign` are 1 for
/// the right and the lower corners, else -1. Other threads add to the same pixels at the same time, in any
/// order.
template <typename T>
__device__ void add_corner(const T* value, T* grad_value, const T* grad_output, std::int64_t channels,
                           T attention, T vertical, T horizontal, T x_sign, T y_sign,
                           PointGradients<T>& sums) {
  const T corner = vertical * horizontal;
  for (std::int64_t c = 0; c < channels; ++c) {
    atomicAdd(&grad_value[c], attention * grad_output[c] * corner);
    sums.weight += grad_output[c] * (corner * value[c]);
    sums.x += grad_output[c] * (x_sign * vertical * value[c]);
    sums.y += grad_output[c] * (y_sign * horizontal * value[c]);
  }
}

/// The point at pixel coordinate (x, y), which is in range: above -1 and below the map's sides. Corners
/// outside the map are skipped: whatever lies there takes no part.
template <typename T>
__device__ PointGradients<T> backward_point(const T* map, T* grad_map, std::int64_t height,
                                            std::int64_t width, std::int64_t pitch, const T* grad_output,
                                            std::int64_t channels, T attention, T y, T x) {
  const T y_floor = floor(y);
  const T x_floor = floor(x);
  const std::int64_t y0 = static_cast<std::int64_t>(y_floor);
  const std::int64_t x0 = static_cast<std::int64_t>(x_floor);
  const T lower = y - y_floor;
  const T right = x - x_floor;
  PointGradients<T> sums;
  for (int corner = 0; corner < 4; ++corner) {
    const bool is_lower = corner >= 2;
    const bool is_right = corner % 2 == 1;
    const std::int64_t row = y0 + (is_lower ? 1 : 0);
    const std::int64_t column = x0 + (is_right ? 1 : 0);
    if (row < 0 || row >= height || column < 0 || column >= width) continue;
    const std::int64_t pixel = (row * width + column) * pitch;
    add_corner<T>(map + pixel, grad_map + pixel, grad_output, channels, attention,
                  is_lower ? lower : 1 - lower, is_right ? right : 1 - right, is_right ? 1 : -1,
                  is_lower ? 1 : -1, sums);
  }
  return sums;
}

/// Everything that point `index` of the [N, Q, M, L, P] gives.
template <typename T>
__device__ void distribute(const BackwardArguments<T>& a, std::int64_t index) {
  const std::int64_t l = index / a.P % a.L;
  const std::int64_t head_row = index / a.P / a.L;
  const std::int64_t m = head_row % a.M;
  const std::int64_t n = head_row / a.M / a.Q;
  const std::int64_t height = a.spatial_shapes[2 * l];
  const std::int64_t width = a.spatial_shapes[2 * l + 1];
  const T x = a.sampling_loc[2 * index] * static_cast<T>(width) - static_cast<T>(0.5);
  const T y = a.sampling_loc[2 * index + 1] * static_cast<T>(height) - static_cast<T>(0.5);
  T grad_x = 0;
  T grad_y = 0;
  T grad_weight = 0;
  // False for NaN and infinities: such a point adds nothing, whatever its weight.
  if (x > -1 && y > -1 && x < static_cast<T>(width) && y < static_cast<T>(height)) {
    const std::int64_t pitch = a.M * a.D;
    const std::int64_t first = (n * a.S + a.level_start_index[l]) * pitch + m * a.D;
    const PointGradients<T> sums =
        backward_point(a.value + first, a.grad_value + first, height, width, pitch,
                       a.grad_output + head_row * a.D, a.D, a.attn_weight[index], y, x);
    grad_x = a.attn_weight[index] * static_cast<T>(width) * sums.x;
    grad_y = a.attn_weight[index] * static_cast<T>(height) * sums.y;
    grad_weight = sums.weight;
  }
  a.grad_sampling_loc[2 * index] = grad_x;
  a.grad_sampling_loc[2 * index + 1] = grad_y;
  a.grad_attn_weight[index] = grad_weight;
}

/// Launch: one-dimensional grid and blocks of any size; the threads stride over the N*Q*M*L*P points.
template <typename T>
__global__ void backward_kernel(const BackwardArguments<T> a) {
  assert(gridDim.y == 1 && gridDim.z == 1 && blockDim.y == 1 && blockDim.z == 1);
  const std::int64_t count = a.N * a.Q * a.M * a.L * a.P;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    distribute(a, i);
  }
}

}  // namespace deformdiff::worker::ms_deform_attn
