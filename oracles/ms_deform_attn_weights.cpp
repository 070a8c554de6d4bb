#include "oracles/ms_deform_attn_weights.h"

#include <algorithm>
#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

struct Counts {
  double attention;  ///< roundings of the product with the attention weight: 1 or 0
  double flat;       ///< additions of a sum over all corners
  double rows;       ///< additions of a sum over rows (or columns) of two corners
  double points;     ///< additions of a sum over sampling points
};

/// Weight of a corner along one axis, with the weight of its opposite.
struct Side {
  double weight, opposite;
  double error, opposite_error;  ///< absolute errors of both, in u
};

Side near_side(const AxisFractions& axis) {
  return {axis.near, axis.far, axis.near, axis.before_first_pixel ? axis.far : 0};
}

Side far_side(const AxisFractions& axis) {
  return {axis.far, axis.near, axis.before_first_pixel ? axis.far : 0, axis.near};
}

/// Weight formed by subtraction from 1: 1 - p - q + pq and its other orders.
double opposite_error(double p, double q) {
  return std::max(1.5 + p * q, std::min(2.5, (1 + p) * (1 + q)));
}

/// Product weights, expanded weights, nested interpolation, sums over rows; the polynomial is apart because
/// it treats the corners differently.
double general_error(const Side& x, const Side& y, const Counts& n) {
  const double w = x.weight * y.weight;
  const double product = x.error * y.weight + y.error * x.weight + (2 + n.attention + n.flat) * w;
  const double expanded = opposite_error(x.opposite, y.opposite) + x.opposite_error * y.weight +
                          y.opposite_error * x.weight + (1 + n.attention + n.flat) * w;
  const double in_x = 3 * y.weight * std::max(x.weight, x.opposite);
  const double in_y = 3 * x.weight * std::max(y.weight, y.opposite);
  const double nested = in_x + in_y + (2 + n.attention + n.points) * w;
  const double rows = std::max(in_x, in_y) + (3 + n.attention + n.rows) * w;
  return std::max({product, expanded, nested, rows});
}

/// v00 + fx (v01 - v00) + fy (v10 - v00) + fx fy (v00 - v01 - v10 + v11).
std::array<double, 4> polynomial_errors(const AxisFractions& x, const AxisFractions& y, const Counts& n) {
  const double both = x.far * y.far;
  const double first = x.near * y.near;
  const double all = n.attention + n.points;
  const double partial_sums =
      std::max({x.near, y.near, x.far + y.far}) +
      std::max(std::fabs(1 - x.far - y.far) + x.shift + y.shift, 1 - (1 - x.far) * (1 - y.far)) + first;
  return {2 * x.far + 2 * y.far + 5 * both + partial_sums + n.points * first +
              n.attention * std::max(first, x.far + y.far + both),
          5 * x.far + 5 * both + all * (x.far + both), 5 * y.far + 5 * both + all * (y.far + both),
          (8 + all) * both};
}

std::array<double, 4> errors_in_plane(const AxisFractions& x, const AxisFractions& y, const Counts& n) {
  const Side x0 = near_side(x), x1 = far_side(x), y0 = near_side(y), y1 = far_side(y);
  std::array<double, 4> errors = polynomial_errors(x, y, n);
  errors[0] = std::max(errors[0], general_error(x0, y0, n));
  errors[1] = std::max(errors[1], general_error(x1, y0, n));
  errors[2] = std::max(errors[2], general_error(x0, y1, n));
  errors[3] = std::max(errors[3], general_error(x1, y1, n));
  return errors;
}

/// The other axis is exactly on a pixel: its weights are 1 and 0, products with them and sums with 0 exact.
double error_on_line(const Side& side, const Counts& n) {
  const double product = side.error + (1 + n.attention + n.flat) * side.weight;
  const double expanded = 1 + side.opposite_error + (1 + n.attention + n.flat) * side.weight;
  const double nested = 3 * std::max(side.weight, side.opposite) + (1 + n.attention + n.points) * side.weight;
  return std::max({product, expanded, nested});
}

}  // namespace

CornerErrors corner_errors(const AxisFractions& x, const AxisFractions& y, const TermCounts& counts,
                           bool weight_is_power_of_two) {
  const Counts n{weight_is_power_of_two ? 0.0 : 1.0, std::max(static_cast<double>(counts.corners) - 1, 0.0),
                 std::max(2 * static_cast<double>(counts.points) - 1, 0.0),
                 std::max(static_cast<double>(counts.points) - 1, 0.0)};
  CornerErrors result;
  if (x.on_pixel && y.on_pixel) {
    result.total = {n.attention + n.flat, 0, 0, 0};
  } else if (x.on_pixel) {
    result.total = {error_on_line(near_side(y), n), 0, error_on_line(far_side(y), n), 0};
  } else if (y.on_pixel) {
    result.total = {error_on_line(near_side(x), n), error_on_line(far_side(x), n), 0, 0};
  } else {
    result.total = errors_in_plane(x, y, n);
  }
  const std::array<double, 4> weights{x.near * y.near, x.far * y.near, x.near * y.far, x.far * y.far};
  for (std::size_t corner = 0; corner < 4; ++corner) {
    result.accumulation[corner] = std::min(n.flat * weights[corner], result.total[corner]);
  }
  return result;
}

}  // namespace deformdiff::ms_deform_attn
