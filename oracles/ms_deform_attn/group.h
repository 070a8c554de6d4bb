// One (batch, query, head): the D output elements that share their sampling points.
#pragma once

#include "oracles/ms_deform_attn/inputs.h"
#include "oracles/ms_deform_attn/kernel.h"
#include "oracles/ms_deform_attn/sampling.h"
#include "oracles/ms_deform_attn/weights.h"

#include <vector>

namespace deformdiff::ms_deform_attn {

/// Which terms of the bound are added up: all of them, or one at a time for an explanation.
struct Parts {
  bool accumulation = true, weights = true, coordinates = true, underflow = true;
};

/// A sampling point that contributes, or may contribute.
template <typename Scalar>
struct Point {
  std::int64_t level = 0, point = 0;
  double weight = 0;  ///< attention weight: finite, not 0
  AxisSample<Scalar> x, y;
};

/// Weights along an axis if the computed position falls in this one of its candidate cells.
template <typename Scalar>
AxisFractions fractions_in(const AxisSample<Scalar>& axis, std::int64_t cell);

/// D elements of each.
template <typename Scalar>
struct GroupResult {
  std::vector<Scalar> value;
  std::vector<double> bound;
  std::vector<double> magnitude;  ///< sum of |a| w |v|
  bool reached = false;           ///< some point with a weight may lie in the range
};

/// Evaluates groups of one case. Each thread needs its own; it keeps scratch memory.
template <typename T>
class GroupEvaluator {
 public:
  using Scalar = Wide<T>;

  GroupEvaluator(const Inputs<T>& inputs, const Rounding& rounding, Coordinates coordinates);

  void evaluate(const GroupIndex& group, const Parts& parts, GroupResult<Scalar>& result);

  /// Contributing points of the group evaluated last.
  const std::vector<Point<Scalar>>& points() const { return points_; }

  /// Factor for second-order terms and for the oracle's own rounding in the bound of the last group.
  double margin() const;

  /// Sets overflows[d] where an intermediate of some stable formula may exceed the largest number.
  void find_overflows(const GroupIndex& group, std::vector<bool>& overflows);

 private:
  struct Locators {
    AxisLocator<Scalar> x, y;
  };
  enum class ZeroWeights : bool { kSkip, kKeep };
  void collect(const GroupIndex& group, ZeroWeights zero_weights);
  void prefetch(const GroupIndex& group, const Point<Scalar>& point) const;
  bool may_overflow(const GroupIndex& group, std::int64_t d) const;
  void count_terms();
  TermRules rules_of(const Parts& parts) const;
  std::array<Scalar, 4> value_weights(const Point<Scalar>& point) const;
  void add_cells(const GroupIndex& group, const Point<Scalar>& point, GroupResult<Scalar>& result);
  void add_cell(const Rows<T>& rows, const AxisFractions& x, const AxisFractions& y, double weight);

  const Inputs<T>& inputs_;
  Rounding rounding_;
  std::vector<Locators> locators_;  ///< one a level
  bool maps_are_large_;
  std::vector<Point<Scalar>> points_;
  std::vector<Contribution> contributions_;
  std::vector<Rows<T>> rows_;         ///< of all points' cells
  std::vector<CellWeights> weights_;  ///< of the same, eight an element
  std::vector<CellTerms> terms_;
  TermCounts counts_;
};

extern template class GroupEvaluator<float>;
extern template class GroupEvaluator<double>;

}  // namespace deformdiff::ms_deform_attn
