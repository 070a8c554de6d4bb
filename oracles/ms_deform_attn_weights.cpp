#include "oracles/ms_deform_attn_weights.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include <Eigen/Core>

namespace deformdiff::ms_deform_attn {
namespace {

struct Counts {
  double attention;  ///< roundings of the product with the attention weight: 1 or 0
  double flat;       ///< additions of a sum over all corners
  double rows;       ///< additions of a sum over rows (or columns) of two corners
  double points;     ///< additions of a sum over sampling points
};

using Corners = Eigen::Array4d;

/// Weights of the four corners along one axis, those of their opposites, and the absolute errors of both, in
/// u.
struct Sides {
  Corners weight, opposite, error, opposite_error;
};

/// The corners' axis values from those of the near and the far side: x alternates, y comes in pairs.
Corners along_x(double near, double far) {
  return {near, far, near, far};
}
Corners along_y(double near, double far) {
  return {near, near, far, far};
}

template <typename Arrange>
Sides sides_of(const AxisFractions& axis, const Arrange& arrange) {
  const double far_error = axis.before_first_pixel ? axis.far : 0;
  return {arrange(axis.near, axis.far), arrange(axis.far, axis.near), arrange(axis.near, far_error),
          arrange(far_error, axis.near)};
}

/// Product weights, expanded weights, nested interpolation, sums over rows; the polynomial is apart because
/// it treats the corners differently.
Corners general_errors(const Sides& x, const Sides& y, const Counts& n) {
  const Corners w = x.weight * y.weight;
  const Corners product = x.error * y.weight + y.error * x.weight + (2 + n.attention + n.flat) * w;
  // The weight formed by subtraction from 1: 1 - p - q + pq and its other orders.
  const Corners p = x.opposite, q = y.opposite;
  const Corners by_subtraction = (1.5 + p * q).max(((1 + p) * (1 + q)).min(2.5));
  const Corners expanded = by_subtraction + x.opposite_error * y.weight + y.opposite_error * x.weight +
                           (1 + n.attention + n.flat) * w;
  const Corners in_x = 3 * y.weight * x.weight.max(x.opposite);
  const Corners in_y = 3 * x.weight * y.weight.max(y.opposite);
  const Corners nested = in_x + in_y + (2 + n.attention + n.points) * w;
  const Corners rows = in_x.max(in_y) + (3 + n.attention + n.rows) * w;
  return product.max(expanded).max(nested).max(rows);
}

/// v00 + fx (v01 - v00) + fy (v10 - v00) + fx fy (v00 - v01 - v10 + v11).
Corners polynomial_errors(const AxisFractions& x, const AxisFractions& y, const Counts& n) {
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

/// The other axis is exactly on a pixel: its weights are 1 and 0, products with them and sums with 0 exact.
double error_on_line(double weight, double opposite, double error, double opposite_error, const Counts& n) {
  const double product = error + (1 + n.attention + n.flat) * weight;
  const double expanded = 1 + opposite_error + (1 + n.attention + n.flat) * weight;
  const double nested = 3 * std::max(weight, opposite) + (1 + n.attention + n.points) * weight;
  return std::max({product, expanded, nested});
}

/// Errors of the near and the far side of the one axis that is not on a pixel.
std::pair<double, double> errors_on_line(const AxisFractions& axis, const Counts& n) {
  const double far_error = axis.before_first_pixel ? axis.far : 0;
  return {error_on_line(axis.near, axis.far, axis.near, far_error, n),
          error_on_line(axis.far, axis.near, far_error, axis.near, n)};
}

}  // namespace

CornerErrors corner_errors(const AxisFractions& x, const AxisFractions& y, const TermCounts& counts,
                           bool weight_is_power_of_two) {
  const Counts n{weight_is_power_of_two ? 0.0 : 1.0, std::max(static_cast<double>(counts.corners) - 1, 0.0),
                 std::max(2 * static_cast<double>(counts.points) - 1, 0.0),
                 std::max(static_cast<double>(counts.points) - 1, 0.0)};
  const Sides in_x = sides_of(x, along_x), in_y = sides_of(y, along_y);
  Corners total = Corners::Zero();
  if (x.on_pixel && y.on_pixel) {
    total[0] = n.attention + n.flat;
  } else if (x.on_pixel) {
    std::tie(total[0], total[2]) = errors_on_line(y, n);
  } else if (y.on_pixel) {
    std::tie(total[0], total[1]) = errors_on_line(x, n);
  } else {
    total = general_errors(in_x, in_y, n).max(polynomial_errors(x, y, n));
  }
  CornerErrors result;
  Eigen::Map<Corners>(result.total.data()) = total;
  Eigen::Map<Corners>(result.accumulation.data()) = (n.flat * in_x.weight * in_y.weight).min(total);
  return result;
}

}  // namespace deformdiff::ms_deform_attn
