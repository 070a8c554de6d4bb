#include "oracles/ms_deform_attn/backward/cells.h"

#include <bit>

namespace deformdiff::ms_deform_attn {

template <typename Scalar>
CellRange touched_cells(const AxisSample<Scalar>& axis, std::int64_t side) {
  if (axis.on_edge()) return {-1, -1};
  if (axis.on_far_edge(side)) return {side - 1, side - 1};
  if (axis.in_reach() && axis.on_pixel()) return {axis.cell - 1, axis.cell};
  return {axis.first, axis.last};
}

std::optional<int> fraction_digits(double location, std::int64_t side, const Rounding& rounding) {
  int digits = 0;
  if (!std::has_single_bit(static_cast<std::uint64_t>(side)) || !add_axis(location, side, rounding, digits))
    return std::nullopt;
  return digits;
}

CellErrors errors_in_cell(const AxisFractions& x, const AxisFractions& y, double products, double unit) {
  CellWeights weights;
  weights.set(0, x, y, 1);
  weights.attention[0] = products;
  TermRules rules;
  rules.counts = {1, 1};
  rules.unit = unit;
  CellTerms terms;
  fill_terms({&weights, 1}, rules, {&terms, 1});
  CellErrors errors{};
  for (std::size_t corner = 0; corner < 4; ++corner) {
    errors.magnitude[corner] = terms.magnitude[corner][0];
    errors.rounding[corner] = terms.absolute[corner][0];
  }
  return errors;
}

template CellRange touched_cells(const AxisSample<double>&, std::int64_t);
template CellRange touched_cells(const AxisSample<long double>&, std::int64_t);

}  // namespace deformdiff::ms_deform_attn
