// Which kinds of number an element may be when inputs hold NaN or infinities, by contract.
// The table and its reasons: oracles/README.md, "NaN and infinities".
#pragma once

#include "core/reference.h"
#include "oracles/ms_deform_attn/group.h"

#include <algorithm>
#include <cstdint>
#include <span>

namespace deformdiff::ms_deform_attn {

/// The least that rounding leaves of a corner's weight along an axis.
template <typename Scalar>
double least_weight(const AxisSample<Scalar>& axis, std::int64_t cell, bool far) {
  const double fraction =
      std::clamp(static_cast<double>(axis.position - static_cast<Scalar>(cell)), 0.0, 1.0);
  return std::max((far ? fraction : 1 - fraction) - axis.shift, 0.0);
}

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

  enum class Place : std::uint8_t {
    kLost,     ///< the location is no number
    kHuge,     ///< its arithmetic may overflow to one that is none
    kOutside,  ///< surely outside the map
    kEdge,     ///< exactly on the edge of the range: code may meet pixels, with weight 0
    kInside    ///< inside, or not surely outside
  };
  /// Where a sampling point is; fills `at` but for lost and huge locations.
  Place place(const GroupIndex& group, std::int64_t l, std::int64_t p, Point<Scalar>& at) const;

  /// Puts into `sets` the set of weights[d] times the sample of channel d at a sampling point.
  void sample(const GroupIndex& group, std::int64_t l, std::int64_t p, std::span<const T> weights,
              std::span<std::uint8_t> sets) const;

  struct CellRange {
    std::int64_t first, last;
  };
  /// Cells that code may use along an axis that is in reach or on an edge.
  CellRange cells(const AxisSample<Scalar>& axis, std::int64_t side) const;

  /// What a point outside the map gives that has this factor.
  std::uint8_t outside(T weight) const;

  /// What a location gives that is no number.
  std::uint8_t lost_location() const;

  /// `value` times a weight at a corner of a cell, at least `least` times `weight`.
  std::uint8_t corner(T value, double weight, bool surely_zero, double least) const;

 private:
  /// On a pixel code may use the cell before it, with weights 0 and 1, where no declaration says which pixel
  /// is met with weight 0.
  bool may_be_open_at_the_left() const;
  bool on_edge(const AxisSample<Scalar>& axis, std::int64_t side) const;
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
