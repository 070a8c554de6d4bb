// Where one sampling point falls, and how far every correct evaluation may put it from there.
#pragma once

#include "core/precision.h"
#include "oracles/arithmetic/rounding.h"

#include <cmath>
#include <cstdint>

namespace deformdiff::ms_deform_attn {

/// One coordinate of a sampling point on a level. Scalar is the oracle's own type.
template <typename Scalar>
struct AxisSample {
  Scalar position = 0;         ///< loc * side - 1/2, in pixels
  double shift = 0;            ///< an upper bound of |computed position - exact position|
  std::int64_t cell = 0;       ///< floor(position), where in_reach
  std::int64_t first = 0;      ///< candidate cells, those that the computed position can fall in, clipped to
  std::int64_t last = -1;      ///< [-1, side - 1]; first > last if the point is surely outside
  bool surely_inside = false;  ///< -1 < computed position < side whatever the rounding

  bool in_reach() const { return first <= last; }
  /// The position is exactly -1 in every evaluation: a test of the range skips it, while code without one
  /// meets the first pixel with weight 0.
  bool on_edge() const { return shift == 0 && position == -1; }
  /// The same beside the last pixel, which cells that are open at the left meet with weight 0.
  bool on_far_edge(std::int64_t side) const { return shift == 0 && position == static_cast<Scalar>(side); }
  /// The position is exactly a pixel centre in every evaluation: every other pixel has weight 0.
  bool on_pixel() const { return shift == 0 && position == static_cast<Scalar>(cell); }
};

/// An intermediate of the coordinate (2 loc - 1, (g + 1) side, loc side, ...) may exceed the largest number
/// if |loc| exceeds this.
inline double largest_safe_location(std::int64_t side, const Rounding& rounding) {
  return rounding.largest / (4 * (static_cast<double>(side) + 1));
}
inline bool coordinate_may_overflow(double location, std::int64_t side, const Rounding& rounding) {
  return std::fabs(location) > largest_safe_location(side, rounding);
}

/// Places coordinates on one side of a map. Rule and derivation: oracles/README.md, "Coordinates".
template <typename Scalar>
class AxisLocator {
 public:
  AxisLocator(std::int64_t side, Coordinates coordinates, const Rounding& rounding);

  /// Requires a finite `location`; one whose arithmetic may overflow is outside.
  void locate(Scalar location, AxisSample<Scalar>& sample) const;

 private:
  struct Exact;
  Exact evaluate(Scalar location) const;
  double fused_shift(const Exact& exact) const;
  double grid_sample_shift(const Exact& exact, Scalar location) const;
  bool every_sum_is_exact(const Exact& exact, Scalar location) const;
  double envelope_shift(const Exact& exact, Scalar location) const;
  double shift_of(const Exact& exact, Scalar location) const;

  std::int64_t side_;
  Coordinates coordinates_;
  Rounding rounding_;
  Scalar extent_;
  double width_;
  double largest_location_;
  bool dyadic_;           ///< side is a power of two
  bool product_exact_;    ///< loc * side is, in Scalar
  bool side_is_inexact_;  ///< side may be no number of the dtype
};

template <typename Scalar>
AxisSample<Scalar> locate(Scalar location, std::int64_t side, Coordinates coordinates,
                          const Rounding& rounding) {
  AxisSample<Scalar> sample;
  AxisLocator<Scalar>(side, coordinates, rounding).locate(location, sample);
  return sample;
}

extern template class AxisLocator<double>;
extern template class AxisLocator<long double>;

}  // namespace deformdiff::ms_deform_attn
