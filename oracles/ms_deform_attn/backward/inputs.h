// What the oracles of the three gradients share: the case as they read it.
#pragma once

#include "oracles/ms_deform_attn/bit_budget.h"
#include "oracles/ms_deform_attn/group.h"
#include "oracles/ms_deform_attn/inputs.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// The gradient of the output, as the forward's groups are: D numbers each.
template <typename T>
class OutputGradient {
 public:
  OutputGradient(const Tensor& gradient, const Dims& dims);

  /// As it is in the case.
  std::span<const T> raw(const GroupIndex& at) const { return {raw_.data() + index(at), channels()}; }
  /// NaN and infinities replaced by 0.
  std::span<const T> row(const GroupIndex& at) const { return {rows_.data() + index(at), channels()}; }

  /// All of them, NaN and infinities replaced by 0.
  std::span<const T> rows() const { return rows_; }

  double largest() const { return largest_; }  ///< of the finite ones
  bool has_nonfinite() const { return has_nonfinite_; }

 private:
  std::size_t channels() const { return static_cast<std::size_t>(dims_.D); }
  std::size_t index(const GroupIndex& at) const {
    return static_cast<std::size_t>(((at.n * dims_.Q + at.q) * dims_.M + at.m) * dims_.D);
  }

  Dims dims_;
  std::vector<T> raw_, rows_;
  double largest_ = 0;
  bool has_nonfinite_ = false;
};

/// One case under one Precision and Contract. Every step rounds in `format`.
template <typename T>
class BackwardInputs {
 public:
  using Scalar = Wide<T>;

  /// Throws InputError if the case computes in another dtype.
  BackwardInputs(const Case& c, DType format, const Precision& precision, const Contract& contract);

  const Inputs<T>& forward() const { return forward_; }
  const Dims& dims() const { return forward_.dims(); }
  const OutputGradient<T>& gradient() const { return gradient_; }
  const Rounding& rounding() const { return rounding_; }
  Coordinates coordinates() const { return coordinates_; }
  const Contract& contract() const { return contract_; }

  /// Inputs are not finite, or coordinates may overflow: NonfiniteJudge is needed.
  bool special() const { return special_; }

  /// Digits and size of all values, and of all gradients; none where inputs are not finite, or a number alone
  /// breaks the bit budget.
  const std::optional<Grid>& value_grid() const { return value_grid_; }
  const std::optional<Grid>& gradient_grid() const { return gradient_grid_; }

  /// Places a sampling point; false if its location is not finite. The weight is 0 if it is not finite.
  bool locate(const GroupIndex& group, std::int64_t l, std::int64_t p, Point<Scalar>& point) const;

  /// Roundings of a product with a finite gradient of this group: none if all are 0 or powers of two.
  double gradient_roundings(const GroupIndex& group) const;

  /// Most that underflow takes from an element by one corner, over (1 + |factor|) of all factors: README,
  /// "The operator's backward".
  double underflow() const { return (rounding_.flush_to_zero ? 16 : 8) * rounding_.underflow; }

  /// Factor for second-order terms, and for the oracle's own rounding.
  double margin(double terms) const {
    return second_order_factor(terms + 40, rounding_.unit) * (1 + kOwnError<T>);
  }

 private:
  struct Locators {
    AxisLocator<Scalar> x, y;
  };
  BackwardInputs(const BackwardProblem& problem, DType format, const Precision& precision,
                 const Contract& contract);

  Inputs<T> forward_;
  OutputGradient<T> gradient_;
  Rounding rounding_;
  Coordinates coordinates_;
  Contract contract_;
  std::vector<Locators> locators_;  ///< one a level
  bool special_ = false;
  std::optional<Grid> value_grid_, gradient_grid_;
};

extern template class OutputGradient<float>;
extern template class OutputGradient<double>;
extern template class BackwardInputs<float>;
extern template class BackwardInputs<double>;

}  // namespace deformdiff::ms_deform_attn
