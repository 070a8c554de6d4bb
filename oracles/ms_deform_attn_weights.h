// What the rounding of corner weights, products and sums can cost, per corner of one sampling point.
#pragma once

#include <array>
#include <cstdint>

namespace deformdiff::ms_deform_attn {

/// Weights of one axis inside a cell.
struct AxisFractions {
  double fraction = 0;    ///< f of the exact position, clipped to the cell
  double near = 1;        ///< weight 1 - f of the left (upper) corner: largest that rounding can lead to
  double far = 0;         ///< weight f of the right (lower) corner: largest that rounding can lead to
  double shift = 0;       ///< how far the computed fraction may be off
  bool on_pixel = false;  ///< f is 0 in every evaluation
  bool before_first_pixel = false;  ///< x < 0: the fraction is x + 1, which rounds
};

/// What one output element sums up.
struct TermCounts {
  std::int64_t points = 0;   ///< sampling points that contribute
  std::int64_t corners = 0;  ///< their corners inside the map with a weight that is not surely 0
};

/// In units of u |attention weight| |corner value|. Corners: (x0,y0), (x1,y0), (x0,y1), (x1,y1).
struct CornerErrors {
  std::array<double, 4> total{};  ///< summation, products and weights, the largest over all stable formulas
  std::array<double, 4> accumulation{};  ///< the summation's part of it
};

/// `weight_is_power_of_two`: the product with the attention weight is exact.
/// Derivation of every coefficient: oracles/README.md, "Corner weights".
CornerErrors corner_errors(const AxisFractions& x, const AxisFractions& y, const TermCounts& counts,
                           bool weight_is_power_of_two);

}  // namespace deformdiff::ms_deform_attn
