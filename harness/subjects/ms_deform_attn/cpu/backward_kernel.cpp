#include "subjects/ms_deform_attn/cpu/backward_kernel.h"

#include <cmath>

namespace deformdiff::worker::ms_deform_attn {
namespace {

template <typename T>
struct Map {
  const T* value;  ///< channels of one head in the level's first pixel
  T* gradient;     ///< likewise
  std::int64_t height, width;
  std::int64_t pitch;  ///< between pixels
};

/// One corner of the cell that a point lies in.
template <typename T>
struct Corner {
  std::int64_t offset;  ///< of its pixel's channels in the map
  T weight;             ///< bilinear
  T along_x, along_y;   ///< derivatives of the weight, per pixel
};

/// Those inside the map: whatever lies beside it takes no part.
template <typename T>
struct Corners {
  Corner<T> corner[4];
  int count = 0;
};

template <typename T>
Corners<T> corners_of(const Map<T>& map, T y, T x) {
  const T y_floor = std::floor(y), x_floor = std::floor(x);
  const T down[2] = {1 - (y - y_floor), y - y_floor}, across[2] = {1 - (x - x_floor), x - x_floor};
  Corners<T> corners;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const std::int64_t row = static_cast<std::int64_t>(y_floor) + i;
      const std::int64_t column = static_cast<std::int64_t>(x_floor) + j;
      if (row < 0 || row >= map.height || column < 0 || column >= map.width) continue;
      corners.corner[corners.count++] = {(row * map.width + column) * map.pitch, down[i] * across[j],
                                         j == 0 ? -down[i] : down[i], i == 0 ? -across[j] : across[j]};
    }
  }
  return corners;
}

/// Adds to the gradient of the map, and writes those of the point's weight and location.
template <typename T>
void backward_point(const Map<T>& map, std::int64_t channels, const T* grad_output, const T* location,
                    T attention, T* grad_location, T* grad_attention) {
  const T width = static_cast<T>(map.width), height = static_cast<T>(map.height);
  const T x = location[0] * width - T(0.5), y = location[1] * height - T(0.5);
  T along_x = 0, along_y = 0, of_weight = 0;
  // False for NaN and infinities: such a point adds nothing, whatever its weight.
  if (x > -1 && y > -1 && x < width && y < height) {
    const Corners<T> corners = corners_of(map, y, x);
    for (std::int64_t c = 0; c < channels; ++c) {
      T sample = 0, slope_x = 0, slope_y = 0;
      for (int k = 0; k < corners.count; ++k) {
        const Corner<T>& corner = corners.corner[k];
        const T value = map.value[corner.offset + c];
        sample += corner.weight * value;
        slope_x += corner.along_x * value;
        slope_y += corner.along_y * value;
        map.gradient[corner.offset + c] += attention * corner.weight * grad_output[c];
      }
      of_weight += grad_output[c] * sample;
      along_x += grad_output[c] * slope_x;
      along_y += grad_output[c] * slope_y;
    }
    along_x *= attention * width;
    along_y *= attention * height;
  }
  grad_location[0] = along_x;
  grad_location[1] = along_y;
  *grad_attention = of_weight;
}

}  // namespace

template <typename T>
void backward_heads(const BackwardArguments<T>& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t pitch = a.M * a.D;
  for (std::int64_t head = begin; head < end; ++head) {
    const std::int64_t n = head / a.M, m = head % a.M;
    const std::int64_t first = n * a.S * pitch + m * a.D;
    for (std::int64_t q = 0; q < a.Q; ++q) {
      const std::int64_t row = (n * a.Q + q) * a.M + m;
      std::int64_t sample = row * a.L * a.P;
      for (std::int64_t l = 0; l < a.L; ++l) {
        const std::int64_t start = first + a.level_start_index[l] * pitch;
        const Map<T> map{a.value + start, a.grad_value + start, a.spatial_shapes[2 * l],
                         a.spatial_shapes[2 * l + 1], pitch};
        for (std::int64_t p = 0; p < a.P; ++p, ++sample) {
          backward_point(map, a.D, a.grad_output + row * a.D, a.sampling_loc + 2 * sample,
                         a.attn_weight[sample], a.grad_sampling_loc + 2 * sample,
                         a.grad_attn_weight + sample);
        }
      }
    }
  }
}

template void backward_heads(const BackwardArguments<float>&, std::int64_t, std::int64_t);
template void backward_heads(const BackwardArguments<double>&, std::int64_t, std::int64_t);

}  // namespace deformdiff::worker::ms_deform_attn
