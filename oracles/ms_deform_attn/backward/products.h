// Sums over channels at the pixels around a sampling point: gradients of locations and weights depend on the
// channels through these alone.
#pragma once

#include "oracles/ms_deform_attn/backward/cells.h"
#include "oracles/ms_deform_attn/backward/inputs.h"
#include "oracles/ms_deform_attn/backward/parts.h"

#include <cstdint>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// Sums over d of grad_output[d] * value[d] at one pixel; all 0 outside the map.
template <typename Scalar>
struct Product {
  Scalar value = 0;
  double magnitude = 0;  ///< sum of |grad_output| |value|
  double terms = 0;      ///< how many are not 0
  double scale = 0;      ///< of those, sum of (1 + |grad_output|) (1 + |value|)
};

/// Products at a rectangle of pixels.
template <typename T>
class ProductBlock {
 public:
  using Scalar = Wide<T>;

  /// The pixels of these cells of a level.
  void load(const BackwardInputs<T>& inputs, const GroupIndex& group, std::int64_t level,
            const CellRange& columns, const CellRange& rows);

  const Product<Scalar>& at(std::int64_t x, std::int64_t y) const {
    return products_[static_cast<std::size_t>((y - first_y_) * width_ + x - first_x_)];
  }

  double underflow_scale() const;  ///< sum of all scales
  double magnitude() const;        ///< sum of all magnitudes
  double terms() const;            ///< most of the channels that a pixel has

 private:
  std::int64_t first_x_ = 0, first_y_ = 0, width_ = 0;
  std::vector<Product<Scalar>> products_;
};

/// One interval of an element's set, and what it is made of.
template <typename Scalar>
struct Interval {
  Scalar value = 0;
  BoundParts parts;
  double margin = 1;
  bool exact = false;  ///< no evaluation rounds

  double bound() const { return exact ? 0 : parts.sum() * margin; }
};

/// The largest partial result of a sum over channels and corners, with a factor >= 1 that may be multiplied
/// at any stage: of partial results of formulas in use, a quarter.
template <typename T>
double largest_partial(const BackwardInputs<T>& inputs, const GroupIndex& group, std::int64_t level,
                       const CellRange& columns, const CellRange& rows, double factor);

extern template class ProductBlock<float>;
extern template class ProductBlock<double>;

}  // namespace deformdiff::ms_deform_attn
