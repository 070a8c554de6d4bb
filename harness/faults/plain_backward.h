// The definition of ms_deform_attn_backward, one step a function: a fault overrides the step that it gets
// wrong.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include <ATen/ops/zeros_like.h>

namespace deformdiff::worker {

/// Of value, sampling_loc and attn_weight, in the block's order.
using GradientList = std::vector<at::Tensor>;

/// Dense arrays. The gradients are zero where nothing is added.
template <typename T>
struct BackwardArrays {
  std::int64_t N, S, M, D, Q, L, P, im2col_step;
  const std::int64_t* spatial_shapes;
  const std::int64_t* level_start_index;
  const T* value;
  const T* sampling_loc;
  const T* attn_weight;
  const T* grad_output;
  T* grad_value;
  T* grad_sampling_loc;
  T* grad_attn_weight;
};

template <typename T>
class PlainBackward {
 public:
  explicit PlainBackward(const BackwardArrays<T>& arrays) : a_(arrays) {}
  virtual ~PlainBackward() = default;

  void run() const {
    std::int64_t sample = 0;
    for (std::int64_t group = 0; group < a_.N * a_.Q * a_.M; ++group) {
      const std::int64_t row = group / a_.M;
      for (std::int64_t l = 0; l < a_.L; ++l) {
        const Level level{a_.spatial_shapes[2 * l], a_.spatial_shapes[2 * l + 1], a_.level_start_index[l]};
        for (std::int64_t p = 0; p < a_.P; ++p, ++sample) {
          if (is_done(group)) add_point({row / a_.Q, row % a_.Q, group % a_.M, group, sample}, level);
        }
      }
    }
  }

 protected:
  struct Level {
    std::int64_t height, width, start;
  };
  struct Point {
    std::int64_t n, q, m, group, sample;
  };
  /// Four pixels, the upper left one at (y, x), and where the point lies between them.
  struct Cell {
    std::int64_t y, x;
    T lower, right;
  };

  virtual bool is_done(std::int64_t) const { return true; }
  virtual T floor_of(T coordinate) const { return std::floor(coordinate); }
  virtual std::int64_t batch_of(const Point& point) const { return point.n; }
  virtual T gradient_of(const Point& point, std::int64_t c) const {
    return a_.grad_output[point.group * a_.D + c];
  }

  /// Whether a pixel is read and added to, and the row of value that it is.
  virtual bool is_inside(const Level& level, const Cell&, std::int64_t y, std::int64_t x) const {
    return y >= 0 && y < level.height && x >= 0 && x < level.width;
  }
  virtual std::int64_t row_of(const Level& level, std::int64_t y, std::int64_t x) const {
    return level.start + y * level.width + x;
  }

  virtual void add(T& sum, T term) const { sum += term; }

  // Of a location's gradient: which of the point's cells a channel's slope is of, what it is multiplied by,
  // and the sum over channels, of a weight's too.
  virtual Cell cell_of_slope(const Cell& cell, std::int64_t) const { return cell; }
  virtual T gradient_for_slope(T gradient) const { return gradient; }
  virtual T weight_for_location(T weight) const { return weight; }
  virtual T x_factor(const Level& level) const { return T(level.width); }
  virtual T y_factor(const Level& level) const { return T(level.height); }
  virtual T sum_of(const std::vector<T>& terms) const {
    T sum = 0;
    for (const T term : terms) sum += term;
    return sum;
  }

  virtual std::int64_t head_for_weight(const Point& point) const { return point.m; }

  /// Stores the gradient of a point's location.
  virtual void store_location(const Point& point, const Cell&, T x, T y) const {
    a_.grad_sampling_loc[2 * point.sample] = x;
    a_.grad_sampling_loc[2 * point.sample + 1] = y;
  }

  const BackwardArrays<T>& arrays() const { return a_; }

 private:
  using Corners = std::array<T, 4>;  ///< upper left, upper right, lower left, lower right

  void add_point(const Point& point, const Level& level) const {
    const T x = a_.sampling_loc[2 * point.sample] * T(level.width) - T(0.5);
    const T y = a_.sampling_loc[2 * point.sample + 1] * T(level.height) - T(0.5);
    if (!(x > T(-1) && y > T(-1) && x < T(level.width) && y < T(level.height))) return;
    const T x_floor = floor_of(x), y_floor = floor_of(y);
    const Cell cell{static_cast<std::int64_t>(y_floor), static_cast<std::int64_t>(x_floor), y - y_floor,
                    x - x_floor};
    const T weight = a_.attn_weight[point.sample];
    std::vector<T> along_x(static_cast<std::size_t>(a_.D)), along_y = along_x, of_weight = along_x;
    for (std::int64_t c = 0; c < a_.D; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const T gradient = gradient_of(point, c);
      const Cell of_slope = cell_of_slope(cell, c);
      const Corners v = corners(point, level, of_slope, point.m, c);
      const T slope = gradient_for_slope(gradient);
      along_x[at] = slope * ((1 - cell.lower) * (v[1] - v[0]) + cell.lower * (v[3] - v[2]));
      along_y[at] = slope * ((1 - cell.right) * (v[2] - v[0]) + cell.right * (v[3] - v[1]));
      const Corners w = corners(point, level, cell, head_for_weight(point), c);
      const Corners near = shares(cell);
      of_weight[at] = gradient * (near[0] * w[0] + near[1] * w[1] + near[2] * w[2] + near[3] * w[3]);
      add_to_pixels(point, level, cell, c, gradient * weight);
    }
    store_location(point, cell, x_factor(level) * weight_for_location(weight) * sum_of(along_x),
                   y_factor(level) * weight_for_location(weight) * sum_of(along_y));
    a_.grad_attn_weight[point.sample] = sum_of(of_weight);
  }

  Corners shares(const Cell& cell) const {
    return {(1 - cell.lower) * (1 - cell.right), (1 - cell.lower) * cell.right, cell.lower * (1 - cell.right),
            cell.lower * cell.right};
  }

  /// Of value, in one channel of one head; zero outside the map.
  Corners corners(const Point& point, const Level& level, const Cell& cell, std::int64_t m,
                  std::int64_t c) const {
    Corners values{};
    for (std::int64_t k = 0; k < 4; ++k) {
      const std::int64_t y = cell.y + k / 2, x = cell.x + k % 2;
      if (!is_inside(level, cell, y, x)) continue;
      const std::int64_t at = index_of(batch_of(point), row_of(level, y, x), m, c);
      if (at >= 0) values[static_cast<std::size_t>(k)] = a_.value[at];
    }
    return values;
  }

  void add_to_pixels(const Point& point, const Level& level, const Cell& cell, std::int64_t c, T term) const {
    const Corners near = shares(cell);
    for (std::int64_t k = 0; k < 4; ++k) {
      const std::int64_t y = cell.y + k / 2, x = cell.x + k % 2;
      if (!is_inside(level, cell, y, x)) continue;
      const std::int64_t at = index_of(batch_of(point), row_of(level, y, x), point.m, c);
      if (at >= 0) add(a_.grad_value[at], near[static_cast<std::size_t>(k)] * term);
    }
  }

  /// -1 beyond the buffer, which a fault may ask for but must not touch.
  std::int64_t index_of(std::int64_t n, std::int64_t row, std::int64_t m, std::int64_t c) const {
    const std::int64_t index = ((n * a_.S + row) * a_.M + m) * a_.D + c;
    return index < a_.N * a_.S * a_.M * a_.D ? index : -1;
  }

  BackwardArrays<T> a_;
};

/// The function of tensors that runs Kernel<float> or Kernel<double>.
template <template <typename> class Kernel>
GradientList run_plain_backward(const ms_deform_attn::Inputs& inputs, const at::Tensor& grad_output) {
  check_structure(inputs);
  ms_deform_attn::check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const std::vector<std::int64_t> wanted = output_shape(inputs);
  TORCH_CHECK_VALUE(grad_output.sizes() == at::IntArrayRef(wanted) &&
                        grad_output.scalar_type() == inputs.value.scalar_type(),
                    "grad_output is ", grad_output.scalar_type(), " of shape ", grad_output.sizes());
  const ms_deform_attn::Inputs dense = contiguous(inputs);
  const at::Tensor gradient = grad_output.contiguous();
  GradientList found{at::zeros_like(dense.value), at::zeros_like(dense.sampling_loc),
                     at::zeros_like(dense.attn_weight)};
  ms_deform_attn::with_element_type(gradient.scalar_type(), [&]<typename T>(T) {
    const auto& value = dense.value;
    const auto& locations = dense.sampling_loc;
    Kernel<T>(BackwardArrays<T>{value.size(0), value.size(1), value.size(2), value.size(3), locations.size(1),
                                locations.size(3), locations.size(4), dense.im2col_step,
                                dense.spatial_shapes.const_data_ptr<std::int64_t>(),
                                dense.level_start_index.const_data_ptr<std::int64_t>(),
                                value.const_data_ptr<T>(), locations.const_data_ptr<T>(),
                                dense.attn_weight.const_data_ptr<T>(), gradient.const_data_ptr<T>(),
                                found[0].mutable_data_ptr<T>(), found[1].mutable_data_ptr<T>(),
                                found[2].mutable_data_ptr<T>()})
        .run();
  });
  return found;
}

}  // namespace deformdiff::worker
