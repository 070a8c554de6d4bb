// A case's tensors as the oracle reads them.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "core/precision.h"
#include "oracles/arithmetic/wide.h"

#include <array>
#include <span>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// One (batch, query, head): the D output elements that share their sampling points.
struct GroupIndex {
  std::int64_t n, q, m;
};

/// Elements that are readable behind every row.
constexpr std::size_t kRowPadding = 7;

/// Contiguous views and copies of one case. T is the C++ type of its dtype.
template <typename T>
class Inputs {
 public:
  Inputs(const Problem& problem, const Contract& contract);

  const Dims& dims() const { return dims_; }
  const Level& level(std::int64_t l) const { return levels_[static_cast<std::size_t>(l)]; }

  /// x of sampling point (l, p); y is next to it.
  const T* location(std::int64_t n, std::int64_t q, std::int64_t m, std::int64_t l, std::int64_t p) const {
    return location_data_ + 2 * point_index(n, q, m, l, p);
  }
  T weight(std::int64_t n, std::int64_t q, std::int64_t m, std::int64_t l, std::int64_t p) const {
    return weight_data_[point_index(n, q, m, l, p)];
  }

  /// All L * P of them.
  const T* weights(std::int64_t n, std::int64_t q, std::int64_t m) const {
    return weight_data_ + point_index(n, q, m, 0, 0);
  }

  /// D channels of a pixel, NaN and infinities replaced by 0; zeros outside the map. kRowPadding elements of
  /// no meaning follow.
  const T* pixel(std::int64_t n, std::int64_t m, std::int64_t l, std::int64_t y, std::int64_t x) const {
    if (!inside(l, y, x)) return zeros_.data();
    return rows_.data() + ((n * dims_.M + m) * dims_.S + row(l, y, x)) * dims_.D;
  }

  /// pixel() of (y, x), (y, x+1), (y+1, x) and (y+1, x+1).
  std::array<const T*, 4> corners(std::int64_t n, std::int64_t m, std::int64_t l, std::int64_t y,
                                  std::int64_t x) const {
    const Level& map = level(l);
    if (x < 0 || y < 0 || x + 1 >= map.width || y + 1 >= map.height) {
      return {pixel(n, m, l, y, x), pixel(n, m, l, y, x + 1), pixel(n, m, l, y + 1, x),
              pixel(n, m, l, y + 1, x + 1)};
    }
    const T* upper = rows_.data() + ((n * dims_.M + m) * dims_.S + row(l, y, x)) * dims_.D;
    const T* lower = upper + map.width * dims_.D;
    return {upper, upper + dims_.D, lower, lower + dims_.D};
  }

  bool inside(std::int64_t l, std::int64_t y, std::int64_t x) const {
    return x >= 0 && y >= 0 && x < level(l).width && y < level(l).height;
  }

  /// One value as it is in the case. Requires inside(l, y, x).
  T raw_value(std::int64_t n, std::int64_t m, std::int64_t l, std::int64_t y, std::int64_t x,
              std::int64_t d) const {
    const Shape& strides = value_.strides();
    return value_.storage_as<T>()[value_.offset() + n * strides[0] + row(l, y, x) * strides[1] +
                                  m * strides[2] + d * strides[3]];
  }

  /// Every value, NaN and infinities replaced by 0.
  std::span<const T> rows() const { return std::span(rows_).first(rows_.size() - kRowPadding); }
  double largest_value() const { return largest_value_; }    ///< of the finite ones
  double largest_weight() const { return largest_weight_; }  ///< of the finite ones
  double largest_location() const { return largest_location_; }
  bool has_nonfinite() const { return has_nonfinite_; }

 private:
  std::int64_t point_index(std::int64_t n, std::int64_t q, std::int64_t m, std::int64_t l,
                           std::int64_t p) const {
    return (((n * dims_.Q + q) * dims_.M + m) * dims_.L + l) * dims_.P + p;
  }
  std::int64_t row(std::int64_t l, std::int64_t y, std::int64_t x) const {
    return level(l).start + y * level(l).width + x;
  }
  void copy_value();
  double survey(const T* values, std::int64_t count);

  Dims dims_;
  std::vector<Level> levels_;
  Tensor value_, locations_, weights_;
  const T* location_data_;
  const T* weight_data_;
  std::vector<T> rows_;  ///< [N, M, S, D], and the padding
  std::vector<T> zeros_;
  double largest_value_ = 0, largest_weight_ = 0, largest_location_ = 0;
  bool has_nonfinite_ = false;
};

extern template class Inputs<float>;
extern template class Inputs<double>;

}  // namespace deformdiff::ms_deform_attn
