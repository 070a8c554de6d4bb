// The definition of ms_deform_attn, one step a function: a fault overrides the step that it gets wrong.
#pragma once

#include "subjects/ms_deform_attn/forward.h"

#include <cmath>
#include <cstdint>

#include <ATen/ops/empty.h>

namespace deformdiff::worker {

template <typename T>
class PlainKernel {
 public:
  explicit PlainKernel(const ms_deform_attn::ForwardArguments<T>& arguments) : a_(arguments) {}
  virtual ~PlainKernel() = default;

  void run() const {
    for (std::int64_t row = 0; row < a_.N * a_.Q; ++row) {
      for (std::int64_t m = 0; m < a_.M; ++m) {
        for (std::int64_t c = 0; c < a_.D; ++c) a_.output[(row * a_.M + m) * a_.D + c] = element(row, m, c);
      }
    }
  }

 protected:
  struct Level {
    std::int64_t index, height, width, start;
  };
  /// One channel of one head in one batch.
  struct Plane {
    std::int64_t n, m, c;
  };

  virtual std::int64_t batch_of(std::int64_t row) const { return row / a_.Q; }
  virtual T x_of(T location, const Level& level) const { return location * T(level.width) - T(0.5); }
  virtual T y_of(T location, const Level& level) const { return location * T(level.height) - T(0.5); }
  virtual bool in_range(T coordinate, std::int64_t side) const {
    return coordinate > T(-1) && coordinate < T(side);
  }
  virtual T floor_of(T coordinate) const { return std::floor(coordinate); }
  virtual T add(T sum, T term) const { return sum + term; }

  /// Pixel (y + dy, x + dx) of the cell at (y, x); zero outside the map.
  virtual T pixel(const Plane& plane, const Level& level, std::int64_t y, std::int64_t x, int dy,
                  int dx) const {
    const bool inside = y + dy >= 0 && y + dy < level.height && x + dx >= 0 && x + dx < level.width;
    return inside ? value_at(plane, level.start + (y + dy) * level.width + x + dx) : T(0);
  }

  /// Row `row` of `value`; zero beyond the buffer, which a fault may ask for but must not read.
  T value_at(const Plane& plane, std::int64_t row) const {
    const std::int64_t index = ((plane.n * a_.S + row) * a_.M + plane.m) * a_.D + plane.c;
    return index >= 0 && index < a_.N * a_.S * a_.M * a_.D ? a_.value[index] : T(0);
  }

  const ms_deform_attn::ForwardArguments<T>& arguments() const { return a_; }

 private:
  T element(std::int64_t row, std::int64_t m, std::int64_t c) const {
    const Plane plane{batch_of(row), m, c};
    std::int64_t sample = (row * a_.M + m) * a_.L * a_.P;
    T sum = 0;
    for (std::int64_t l = 0; l < a_.L; ++l) {
      const Level level{l, a_.spatial_shapes[2 * l], a_.spatial_shapes[2 * l + 1], a_.level_start_index[l]};
      for (std::int64_t p = 0; p < a_.P; ++p, ++sample) {
        const T x = x_of(a_.sampling_loc[2 * sample], level);
        const T y = y_of(a_.sampling_loc[2 * sample + 1], level);
        if (!in_range(x, level.width) || !in_range(y, level.height)) continue;
        sum = add(sum, a_.attn_weight[sample] * interpolate(plane, level, y, x));
      }
    }
    return sum;
  }

  T interpolate(const Plane& plane, const Level& level, T y, T x) const {
    const T y_floor = floor_of(y);
    const T x_floor = floor_of(x);
    const auto y0 = static_cast<std::int64_t>(y_floor);
    const auto x0 = static_cast<std::int64_t>(x_floor);
    const T lower = y - y_floor;
    const T right = x - x_floor;
    const T upper = 1 - lower;
    const T left = 1 - right;
    return upper * left * pixel(plane, level, y0, x0, 0, 0) +
           upper * right * pixel(plane, level, y0, x0, 0, 1) +
           lower * left * pixel(plane, level, y0, x0, 1, 0) +
           lower * right * pixel(plane, level, y0, x0, 1, 1);
  }

  ms_deform_attn::ForwardArguments<T> a_;
};

/// The function of tensors that runs Kernel<float> or Kernel<double>.
template <template <typename> class Kernel>
at::Tensor run_plain(const ms_deform_attn::Inputs& inputs) {
  check_structure(inputs);
  ms_deform_attn::check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const ms_deform_attn::Inputs dense = contiguous(inputs);
  const at::Tensor output = at::empty(output_shape(inputs), inputs.value.options());
  ms_deform_attn::with_element_type(output.scalar_type(), [&]<typename T>(T) {
    Kernel<T>(ms_deform_attn::arguments_of<T>(dense, output)).run();
  });
  return output;
}

}  // namespace deformdiff::worker
