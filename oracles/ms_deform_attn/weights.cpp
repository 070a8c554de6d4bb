#include "oracles/ms_deform_attn/weights.h"

#include <algorithm>

namespace deformdiff::ms_deform_attn {
namespace {

/// Additions of a sum over all corners, over rows (or columns) of two corners, and over sampling points.
struct Additions {
  double flat, rows, points;
};

Additions additions_of(const TermCounts& counts) {
  const auto corners = static_cast<double>(counts.corners), points = static_cast<double>(counts.points);
  return {std::max(corners - 1, 0.0), std::max(2 * points - 1, 0.0), std::max(points - 1, 0.0)};
}

/// Weights of a corner and of the opposite side along one axis, and the absolute errors of both, in u.
struct Side {
  Lanes weight, opposite, error, opposite_error;
};

DEFORMDIFF_INLINE Side side_of(const AxisLanes& axis, bool far) {
  const Lanes near_weight = load(axis.near.data()), far_weight = load(axis.far.data());
  const Lanes far_error = load(axis.far_error.data());
  if (far) return {far_weight, near_weight, far_error, near_weight};
  return {near_weight, far_weight, near_weight, far_error};
}

/// Product weights, expanded weights, nested interpolation, sums over rows; the polynomial is apart because
/// it treats the corners differently.
DEFORMDIFF_INLINE Lanes general_error(const Side& x, const Side& y, const Lanes& attention,
                                      const Additions& n) {
  const Lanes w = x.weight * y.weight;
  const Lanes product = x.error * y.weight + y.error * x.weight + (2 + attention + n.flat) * w;
  // The weight formed by subtraction from 1: 1 - p - q + pq and its other orders.
  const Lanes p = x.opposite, q = y.opposite;
  const Lanes by_subtraction = larger(1.5 + p * q, smaller((1 + p) * (1 + q), Lanes{} + 2.5));
  const Lanes expanded = by_subtraction + x.opposite_error * y.weight + y.opposite_error * x.weight +
                         (1 + attention + n.flat) * w;
  const Lanes in_x = 3 * y.weight * larger(x.weight, x.opposite);
  const Lanes in_y = 3 * x.weight * larger(y.weight, y.opposite);
  const Lanes nested = in_x + in_y + (2 + attention + n.points) * w;
  const Lanes rows = larger(in_x, in_y) + (3 + attention + n.rows) * w;
  return larger(larger(larger(product, expanded), nested), rows);
}

/// v00 + fx (v01 - v00) + fy (v10 - v00) + fx fy (v00 - v01 - v10 + v11).
DEFORMDIFF_INLINE std::array<Lanes, 4> polynomial_errors(const CellWeights& cells, const Lanes& attention,
                                                         const Additions& n) {
  const Lanes near_x = load(cells.x.near.data()), near_y = load(cells.y.near.data());
  const Lanes x = load(cells.x.far.data()), y = load(cells.y.far.data());
  const Lanes both = x * y;
  const Lanes first = near_x * near_y;
  const Lanes all = attention + n.points;
  const Lanes partial_sums =
      larger(larger(near_x, near_y), x + y) +
      larger(magnitude_of(1 - x - y) + load(cells.x.shift.data()) + load(cells.y.shift.data()),
             1 - (1 - x) * (1 - y)) +
      first;
  return {
      2 * x + 2 * y + 5 * both + partial_sums + n.points * first + attention * larger(first, x + y + both),
      5 * x + 5 * both + all * (x + both), 5 * y + 5 * both + all * (y + both), (8 + all) * both};
}

/// The other axis is exactly on a pixel: its weights are 1 and 0, products with them and sums with 0 exact.
double error_on_line(double weight, double opposite, double error, double opposite_error, double attention,
                     const Additions& n) {
  const double product = error + (1 + attention + n.flat) * weight;
  const double expanded = 1 + opposite_error + (1 + attention + n.flat) * weight;
  const double nested = 3 * std::max(weight, opposite) + (1 + attention + n.points) * weight;
  return std::max({product, expanded, nested});
}

/// Replaces the errors of a cell with an axis on a pixel.
void replace_on_pixel(const CellWeights& cells, std::size_t cell, const Additions& n,
                      std::array<PerCell, 4>& errors) {
  const bool both = cells.on_x[cell] && cells.on_y[cell];
  const AxisLanes& axis = cells.on_x[cell] ? cells.y : cells.x;
  const std::size_t far_corner = cells.on_x[cell] ? 2 : 1;
  const double attention = cells.attention[cell];
  const double near = axis.near[cell], far = axis.far[cell], far_error = axis.far_error[cell];
  for (PerCell& corner : errors) corner[cell] = 0;
  if (both) {
    errors[0][cell] = attention + n.flat;
    return;
  }
  errors[0][cell] = error_on_line(near, far, near, far_error, attention, n);
  errors[far_corner][cell] = error_on_line(far, near, far_error, near, attention, n);
}

/// In units of u |a| |v_c|: summation, products and weights, the largest over all stable formulas.
DEFORMDIFF_INLINE void errors_of(const CellWeights& cells, const Additions& n,
                                 std::array<PerCell, 4>& errors) {
  const Lanes attention = load(cells.attention.data());
  const std::array<Lanes, 4> polynomial = polynomial_errors(cells, attention, n);
  for (std::size_t corner = 0; corner < 4; ++corner) {
    const Side x = side_of(cells.x, (corner & 1) != 0), y = side_of(cells.y, (corner & 2) != 0);
    store(larger(general_error(x, y, attention, n), polynomial[corner]), errors[corner].data());
  }
  for (std::size_t cell = 0; cells.any_on_pixel && cell < kLanes; ++cell) {
    if (cells.on_x[cell] || cells.on_y[cell]) replace_on_pixel(cells, cell, n, errors);
  }
}

struct FillTerms {
  DEFORMDIFF_INLINE static void run(const CellWeights* cells, const TermRules* rules,
                                    const Additions* additions, CellTerms* terms) {
    std::array<PerCell, 4> errors;
    errors_of(*cells, *additions, errors);
    const Lanes a = load(cells->weight.data());
    const Lanes shift_x = load(cells->x.shift.data()), shift_y = load(cells->y.shift.data());
    // Slopes are differences of doubles: what they lose themselves counts where the subject is in double too.
    const double counted = rules->coordinates ? 1 : 0;
    const Lanes slope_loss = counted * 0x1p-50 * (shift_x + shift_y);
    const Lanes underflow = rules->underflow * (1 + a);
    for (std::size_t corner = 0; corner < 4; ++corner) {
      const Lanes x = load((corner & 1) != 0 ? cells->x.far.data() : cells->x.near.data());
      const Lanes y = load((corner & 2) != 0 ? cells->y.far.data() : cells->y.near.data());
      const Lanes total = load(errors[corner].data());
      const Lanes accumulation = smaller(additions->flat * x * y, total);
      const Lanes units =
          (rules->accumulation ? accumulation : Lanes{}) + (rules->weights ? total - accumulation : Lanes{});
      store(a * x * y, terms->magnitude[corner].data());
      store(a * (rules->unit * units + slope_loss) + underflow, terms->absolute[corner].data());
    }
    const Lanes fraction_x = load(cells->x.fraction.data()), fraction_y = load(cells->y.fraction.data());
    store(1 - fraction_x, terms->near_x.data());
    store(fraction_x, terms->far_x.data());
    store(1 - fraction_y, terms->near_y.data());
    store(fraction_y, terms->far_y.data());
    store(counted * a * shift_x, terms->shift_x.data());
    store(counted * a * shift_y, terms->shift_y.data());
    store(counted * a * shift_x * shift_y, terms->shift_xy.data());
  }
};

}  // namespace

void fill_terms(std::span<const CellWeights> cells, const TermRules& rules, std::span<CellTerms> terms) {
  const Additions additions = additions_of(rules.counts);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    run_on_lanes<FillTerms>(&cells[i], &rules, &additions, &terms[i]);
  }
}

}  // namespace deformdiff::ms_deform_attn
