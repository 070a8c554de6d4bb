// Which kinds of number a gradient may be when inputs hold NaN or infinities, by contract.
// The rules and their reasons: oracles/README.md, "The operator's backward".
#pragma once

#include "oracles/ms_deform_attn/backward/point_gradients.h"
#include "oracles/ms_deform_attn/nonfinite.h"

#include <cstdint>
#include <span>

namespace deformdiff::ms_deform_attn {

template <typename T>
class GradientKinds {
 public:
  using Scalar = Wide<T>;

  explicit GradientKinds(const BackwardInputs<T>& inputs);

  /// Fills `admits` with the sets of one head's S * D elements.
  void of_value(std::int64_t n, std::int64_t m, std::span<std::uint8_t> admits) const;

  std::uint8_t of_weight(const GroupIndex& group, std::int64_t l, std::int64_t p) const;
  std::uint8_t of_location(const GroupIndex& group, std::int64_t l, std::int64_t p, Axis axis) const;

 private:
  using Judge = NonfiniteJudge<T>;
  std::uint8_t lost() const;
  std::uint8_t skipped(bool finite) const;
  void add_lost(std::int64_t level, std::span<std::uint8_t> admits) const;
  void scatter(const GroupIndex& group, const Point<Scalar>& at, bool on_edge,
               std::span<std::uint8_t> admits) const;
  std::uint8_t at_pixel(const Point<Scalar>& at, std::int64_t x, std::int64_t y, T factor) const;
  std::uint8_t slope(const GroupIndex& group, const Point<Scalar>& at, Axis axis, std::int64_t cell_x,
                     std::int64_t cell_y) const;

  const BackwardInputs<T>& inputs_;
  Judge judge_;
};

extern template class GradientKinds<float>;
extern template class GradientKinds<double>;

}  // namespace deformdiff::ms_deform_attn
