// Device code of ms_deform_attn, forward. Compiled by nvcc (kernel.cu) and by the host compiler over
// cuda_emulation.h (kernel_emulated.cpp).
#pragma once

#include "subjects/ms_deform_attn/forward_arguments.h"

#include <cassert>

namespace deformdiff::worker::ms_deform_attn {

/// Bilinear interpolation of one channel at pixel coordinate (x, y), which is in range: above -1 and below
/// the map's sides. `map` points to the channel in the level's first pixel, `pitch` is the distance between
/// pixels. Corners outside the map are skipped: whatever lies there takes no part.
template <typename T>
__device__ T interpolate(const T* map, std::int64_t height, std::int64_t width, std::int64_t pitch, T y,
                         T x) {
  const T y_floor = floor(y);
  const T x_floor = floor(x);
  const std::int64_t y0 = static_cast<std::int64_t>(y_floor);
  const std::int64_t x0 = static_cast<std::int64_t>(x_floor);
  const T lower = y - y_floor;
  const T right = x - x_floor;
  const T upper = 1 - lower;
  const T left = 1 - right;
  // Both sides of every corner are guarded: floor() and the range test need not agree to the last bit.
  const bool has_upper = y0 >= 0 && y0 < height;
  const bool has_lower = y0 + 1 >= 0 && y0 + 1 < height;
  const bool has_left = x0 >= 0 && x0 < width;
  const bool has_right = x0 + 1 >= 0 && x0 + 1 < width;
  const T* first = map + (y0 * width + x0) * pitch;
  T sum = 0;
  if (has_upper && has_left) sum += upper * left * first[0];
  if (has_upper && has_right) sum += upper * right * first[pitch];
  if (has_lower && has_left) sum += lower * left * first[width * pitch];
  if (has_lower && has_right) sum += lower * right * first[(width + 1) * pitch];
  return sum;
}

/// One element of the output: `index` counts [N, Q, M, D] row-major.
template <typename T>
__device__ T attend(const ForwardArguments<T>& a, std::int64_t index) {
  const std::int64_t c = index % a.D;
  const std::int64_t head_row = index / a.D;
  const std::int64_t m = head_row % a.M;
  const std::int64_t n = head_row / a.M / a.Q;
  const T* batch = a.value + n * a.S * a.M * a.D + m * a.D + c;
  const T* location = a.sampling_loc + head_row * a.L * a.P * 2;
  const T* weight = a.attn_weight + head_row * a.L * a.P;
  const std::int64_t pitch = a.M * a.D;
  T sum = 0;
  for (std::int64_t l = 0; l < a.L; ++l) {
    const std::int64_t height = a.spatial_shapes[2 * l];
    const std::int64_t width = a.spatial_shapes[2 * l + 1];
    const T* map = batch + a.level_start_index[l] * pitch;
    for (std::int64_t p = 0; p < a.P; ++p, location += 2, ++weight) {
      const T x = location[0] * static_cast<T>(width) - static_cast<T>(0.5);
      const T y = location[1] * static_cast<T>(height) - static_cast<T>(0.5);
      // False for NaN and infinities: such a point adds exactly 0, whatever its weight.
      if (x > -1 && y > -1 && x < static_cast<T>(width) && y < static_cast<T>(height)) {
        sum += *weight * interpolate(map, height, width, pitch, y, x);
      }
    }
  }
  return sum;
}

/// Launch: one-dimensional grid and blocks of any size; the threads stride over the N*Q*M*D elements.
template <typename T>
__global__ void forward_kernel(const ForwardArguments<T> a) {
  assert(gridDim.y == 1 && gridDim.z == 1 && blockDim.y == 1 && blockDim.z == 1);
  const std::int64_t count = a.N * a.Q * a.M * a.D;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    a.output[i] = attend(a, i);
  }
}

}  // namespace deformdiff::worker::ms_deform_attn
