// The cells that a sampling point may fall in, and what rounding does there.
#pragma once

#include "oracles/ms_deform_attn/bit_budget.h"
#include "oracles/ms_deform_attn/group.h"

#include <array>
#include <cstdint>
#include <optional>

namespace deformdiff::ms_deform_attn {

struct CellRange {
  std::int64_t first, last;  ///< none if first > last
};

/// Cells whose slopes and corners some evaluation takes at this coordinate: its candidate cells; both beside
/// a pixel that it is exactly on; on an edge of the range the one inside.
template <typename Scalar>
CellRange touched_cells(const AxisSample<Scalar>& axis, std::int64_t side);

/// Binary digits of a coordinate's fraction inside its cell; none if some formula for it may round.
std::optional<int> fraction_digits(double location, std::int64_t side, const Rounding& rounding);

/// What rounding does to the corner weights of one cell: lane 0 of CellTerms, for an attention weight of 1.
/// Corners: (x0,y0), (x1,y0), (x0,y1), (x1,y1).
struct CellErrors {
  std::array<double, 4> magnitude;  ///< largest weights that rounding leads to
  std::array<double, 4> rounding;   ///< of weight and products, additions of corners left out
};

/// `products`: roundings of products of the weight, besides one.
CellErrors errors_in_cell(const AxisFractions& x, const AxisFractions& y, double products, double unit);

}  // namespace deformdiff::ms_deform_attn
