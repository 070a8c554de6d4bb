// The gradient of value: what all sampling points of a head scatter into its rows.
#pragma once

#include "oracles/ms_deform_attn/backward/inputs.h"
#include "oracles/ms_deform_attn/backward/parts.h"

#include <cstdint>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// What one sampling point adds to one row of value, all of it to be multiplied by |grad_output|.
template <typename Scalar>
struct Share {
  std::int64_t row = 0;
  Scalar weight = 0;     ///< attention weight times corner weight
  double magnitude = 0;  ///< the largest that rounding makes of it
  BoundParts parts;      ///< without the accumulation; the underflow is multiplied by 1 + |grad_output|
};

/// S * D elements of each.
template <typename Scalar>
struct HeadSums {
  std::vector<Scalar> value;
  std::vector<double> magnitude;  ///< sum of |attention weight| |corner weight| |grad_output|
  std::vector<double> bound;
  std::vector<double> terms;  ///< how many numbers are added that need not be 0
};

/// Evaluates heads of one case. Each thread needs its own; it keeps scratch memory.
template <typename T>
class ValueGradient {
 public:
  using Scalar = Wide<T>;

  explicit ValueGradient(const BackwardInputs<T>& inputs);

  void evaluate(std::int64_t n, std::int64_t m, HeadSums<Scalar>& sums);

  /// Sets overflows[s * D + d] where an intermediate result may exceed the largest number.
  void find_overflows(std::int64_t n, std::int64_t m, std::vector<bool>& overflows) const;

  /// A sampling point that reaches an element.
  struct Contributor {
    std::int64_t q;
    Point<Scalar> point;
    double weight;  ///< attention weight times corner weight
  };

  /// Takes the bound of one element apart, before its margin; adds to `contributors` what reaches it.
  BoundParts parts(std::int64_t n, std::int64_t m, std::int64_t row, std::int64_t d,
                   std::vector<Contributor>& contributors) const;

 private:
  template <typename Visit>
  void for_each_point(std::int64_t n, std::int64_t m, const Visit& visit) const;
  void find_shares(const GroupIndex& group, const Point<Scalar>& point,
                   std::vector<Share<Scalar>>& shares) const;
  bool is_exact(const GroupIndex& group, const Point<Scalar>& point);
  void add(const Share<Scalar>& share, std::span<const T> gradient, HeadSums<Scalar>& sums);
  void finish(HeadSums<Scalar>& sums) const;

  const BackwardInputs<T>& inputs_;
  std::vector<Share<Scalar>> shares_;
  std::vector<bool> may_round_;  ///< of rows: some share is not proved to be exact
  int digits_ = 0;               ///< after the point, of all shares that are
  double largest_product_ = 0;   ///< |attention weight| times |grad_output|, of the same
};

extern template class ValueGradient<float>;
extern template class ValueGradient<double>;

}  // namespace deformdiff::ms_deform_attn
