// The gradients of one sampling point: of its attention weight and of its two coordinates.
#pragma once

#include "oracles/ms_deform_attn/backward/products.h"

#include <cstdint>
#include <vector>

namespace deformdiff::ms_deform_attn {

enum class Axis : std::uint8_t { kX, kY };

/// The admissible set of finite numbers of one element.
template <typename Scalar>
struct PointGradient {
  std::vector<Interval<Scalar>> intervals;  ///< at least one; the first holds the value
  double magnitude = 0;                     ///< of the terms behind the largest
  bool reached = false;                     ///< the point may lie in the range, and counts
};

/// Evaluates points of one case. Each thread needs its own; it keeps scratch memory.
template <typename T>
class PointGradients {
 public:
  using Scalar = Wide<T>;

  explicit PointGradients(const BackwardInputs<T>& inputs);

  /// Of the attention weight: sum over d of grad_output[d] times the sample.
  void of_weight(const GroupIndex& group, const Point<Scalar>& point, PointGradient<Scalar>& result);

  /// Of a coordinate: side * attention weight * sum over d of grad_output[d] times the sample's slope, in
  /// each cell whose slope is admissible.
  void of_location(const GroupIndex& group, const Point<Scalar>& point, Axis axis,
                   PointGradient<Scalar>& result);

  /// An intermediate result may exceed the largest number.
  bool weight_overflows(const GroupIndex& group, const Point<Scalar>& point) const;
  bool location_overflows(const GroupIndex& group, const Point<Scalar>& point, Axis axis) const;

 private:
  struct Line;
  struct Pair;
  Scalar sample(const Point<Scalar>& point) const;
  void round_sample(const Point<Scalar>& point, double products, PointGradient<Scalar>& result) const;
  bool budget_holds(std::optional<int> digits, double magnitude) const;
  Line line_of(const GroupIndex& group, const Point<Scalar>& point, Axis axis) const;
  Pair pair(const Line& line, std::int64_t cell, std::int64_t across) const;
  void round_slope(const Line& line, std::int64_t cell, Interval<Scalar>& interval, double& magnitude) const;
  Interval<Scalar> slope(const Line& line, std::int64_t cell, double& magnitude) const;

  const BackwardInputs<T>& inputs_;
  ProductBlock<T> block_;
};

extern template class PointGradients<float>;
extern template class PointGradients<double>;

}  // namespace deformdiff::ms_deform_attn
