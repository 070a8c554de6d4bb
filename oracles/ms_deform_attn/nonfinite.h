// Which kinds of number an element may be when inputs hold NaN or infinities, by contract.
// The table and its reasons: oracles/README.md, "NaN and infinities".
#pragma once

#include "core/reference.h"
#include "oracles/ms_deform_attn/group.h"

#include <cstdint>
#include <span>

namespace deformdiff::ms_deform_attn {

/// What sums of one number from each set can be; sets of Admits without kAdmitsAnything.
std::uint8_t sum_of(std::uint8_t a, std::uint8_t b);

template <typename T>
class NonfiniteJudge {
 public:
  using Scalar = Wide<T>;

  NonfiniteJudge(const Inputs<T>& inputs, const Rounding& rounding, Coordinates coordinates,
                 const Contract& contract);

  /// Fills `admits` with the sets of the group's D elements.
  void judge(const GroupIndex& group, std::span<std::uint8_t> admits) const;

 private:
  struct CellRange {
    std::int64_t first, last;
  };
  /// On a pixel code may use the cell before it, with weights 0 and 1, where no declaration says which pixel
  /// is met with weight 0.
  bool may_be_open_at_the_left() const;
  bool on_edge(const AxisSample<Scalar>& axis, std::int64_t side) const;
  /// Cells that code may use along an axis that is in reach or on an edge.
  CellRange cells(const AxisSample<Scalar>& axis, std::int64_t side) const;
  std::uint8_t outside(T weight) const;
  std::uint8_t lost_location() const;
  std::uint8_t corner(T value, double weight, bool surely_zero, double least) const;
  std::uint8_t edge(const GroupIndex& group, const Point<Scalar>& at, T weight, std::int64_t d) const;
  std::uint8_t point(const GroupIndex& group, const Point<Scalar>& at, T weight, std::int64_t d) const;
  std::uint8_t in_cell(const GroupIndex& group, const Point<Scalar>& at, std::int64_t cell_x,
                       std::int64_t cell_y, std::int64_t d) const;
  std::uint8_t infinite_weight(const GroupIndex& group, const Point<Scalar>& at, T weight,
                               std::int64_t d) const;

  const Inputs<T>& inputs_;
  Rounding rounding_;
  Coordinates coordinates_;
  Contract contract_;
};

extern template class NonfiniteJudge<float>;
extern template class NonfiniteJudge<double>;

}  // namespace deformdiff::ms_deform_attn
