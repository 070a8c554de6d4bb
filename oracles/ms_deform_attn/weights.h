// How the bound grows with the four corner values of a cell: what the rounding of coordinates, corner
// weights, products and sums can cost. Eight cells at once.
#pragma once

#include "oracles/arithmetic/lanes.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

namespace deformdiff::ms_deform_attn {

/// One number for each of eight cells.
using PerCell = std::array<double, kLanes>;

/// Weights of one axis inside a cell.
struct AxisFractions {
  double fraction = 0;    ///< f of the exact position, clipped to the cell
  double near = 1;        ///< weight 1 - f of the left (upper) corner: largest that rounding can lead to
  double far = 0;         ///< weight f of the right (lower) corner: largest that rounding can lead to
  double shift = 0;       ///< how far the computed fraction may be off
  bool on_pixel = false;  ///< f is 0 in every evaluation
  bool before_first_pixel = false;  ///< x < 0: the fraction is x + 1, which rounds
};

/// AxisFractions of eight cells.
struct AxisLanes {
  PerCell fraction{}, near{}, far{}, shift{};
  PerCell far_error{};  ///< of `far`, in u

  void set(std::size_t cell, const AxisFractions& of_cell) {
    fraction[cell] = of_cell.fraction;
    near[cell] = of_cell.near;
    far[cell] = of_cell.far;
    shift[cell] = of_cell.shift;
    far_error[cell] = of_cell.before_first_pixel ? of_cell.far : 0;
  }
};

/// False for subnormals, which is safe.
inline bool is_power_of_two(double weight) {
  constexpr std::uint64_t kSignificand = (std::uint64_t{1} << 52) - 1;
  return (std::bit_cast<std::uint64_t>(weight) & kSignificand) == 0;
}

/// Eight cells that sampling points may fall in.
struct alignas(64) CellWeights {
  AxisLanes x, y;
  PerCell weight{};                 ///< |a|
  PerCell attention{};              ///< roundings of the product with a: 1, or 0 if a is a power of two
  std::array<bool, kLanes> on_x{};  ///< on a pixel along x
  std::array<bool, kLanes> on_y{};  ///< on a pixel along y
  bool any_on_pixel = false;

  void set(std::size_t cell, const AxisFractions& in_x, const AxisFractions& in_y, double attention_weight) {
    x.set(cell, in_x);
    y.set(cell, in_y);
    weight[cell] = std::fabs(attention_weight);
    attention[cell] = is_power_of_two(attention_weight) ? 0 : 1;
    on_x[cell] = in_x.on_pixel;
    on_y[cell] = in_y.on_pixel;
    any_on_pixel = any_on_pixel || in_x.on_pixel || in_y.on_pixel;
  }
};

/// Factors of the corner values' magnitudes and slopes in eight cells' bounds.
/// Corners: (x0,y0), (x1,y0), (x0,y1), (x1,y1).
struct alignas(64) CellTerms {
  std::array<PerCell, 4> magnitude{};  ///< |a| w_c
  std::array<PerCell, 4> absolute{};   ///< factor of |v_c|
  PerCell near_x{}, far_x{}, near_y{}, far_y{};
  PerCell shift_x{}, shift_y{}, shift_xy{};  ///< |a| times shifts; factors of the local slopes
};

/// What one output element sums up.
struct TermCounts {
  std::int64_t points = 0;   ///< sampling points that contribute
  std::int64_t corners = 0;  ///< their corners inside the map with a weight that is not surely 0
};

/// What all cells of a group share.
struct TermRules {
  TermCounts counts;
  double unit = 0;       ///< u
  double underflow = 0;  ///< of one corner's products, to be multiplied by 1 + |a|
  bool accumulation = true, weights = true, coordinates = true;  ///< terms that count
};

/// Derivation of every coefficient: oracles/README.md, "Corner weights". Requires at least as many terms.
void fill_terms(std::span<const CellWeights> cells, const TermRules& rules, std::span<CellTerms> terms);

}  // namespace deformdiff::ms_deform_attn
