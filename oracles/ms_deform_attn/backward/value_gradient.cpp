#include "oracles/ms_deform_attn/backward/value_gradient.h"

#include "oracles/ms_deform_attn/backward/cells.h"

#include <algorithm>
#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

/// Weight of a pixel at the exact position.
template <typename Scalar>
Scalar tent(const AxisSample<Scalar>& axis, std::int64_t pixel) {
  if (pixel == axis.cell) return static_cast<Scalar>(pixel + 1) - axis.position;
  return pixel == axis.cell + 1 ? axis.position - static_cast<Scalar>(axis.cell) : Scalar(0);
}

/// Pixels in the map that may have a weight.
template <typename Scalar>
CellRange weighted_pixels(const AxisSample<Scalar>& axis, std::int64_t side) {
  const std::int64_t last = axis.on_pixel() ? axis.cell : axis.last + 1;
  return {std::max<std::int64_t>(axis.first, 0), std::min(last, side - 1)};
}

}  // namespace

template <typename T>
ValueGradient<T>::ValueGradient(const BackwardInputs<T>& inputs) : inputs_(inputs) {}

template <typename T>
template <typename Visit>
void ValueGradient<T>::for_each_point(std::int64_t n, std::int64_t m, const Visit& visit) const {
  const Dims& dims = inputs_.dims();
  Point<Scalar> point;
  for (std::int64_t q = 0; q < dims.Q; ++q) {
    for (std::int64_t l = 0; l < dims.L; ++l) {
      for (std::int64_t p = 0; p < dims.P; ++p) {
        const GroupIndex group{n, q, m};
        if (inputs_.locate(group, l, p, point)) visit(group, point);
      }
    }
  }
}

template <typename T>
void ValueGradient<T>::find_shares(const GroupIndex& group, const Point<Scalar>& point,
                                   std::vector<Share<Scalar>>& shares) const {
  shares.clear();
  if (point.weight == 0 || !point.x.in_reach() || !point.y.in_reach()) return;
  const Level& level = inputs_.forward().level(point.level);
  const CellRange columns = weighted_pixels(point.x, level.width),
                  rows = weighted_pixels(point.y, level.height);
  const double a = std::fabs(point.weight);
  const double dx = point.x.on_pixel() ? 0 : point.x.shift, dy = point.y.on_pixel() ? 0 : point.y.shift;
  for (std::int64_t y = rows.first; y <= rows.last; ++y) {
    for (std::int64_t x = columns.first; x <= columns.last; ++x) {
      const Scalar in_x = tent(point.x, x), in_y = tent(point.y, y);
      Share<Scalar>& share = shares.emplace_back();
      share.row = level.start + y * level.width + x;
      share.weight = static_cast<Scalar>(point.weight) * (in_x * in_y);
      share.parts.coordinates =
          a * ((dx * static_cast<double>(in_y) + dy * static_cast<double>(in_x)) + dx * dy);
      share.parts.underflow = inputs_.underflow() * (1 + a);
    }
  }
  const double products = is_power_of_two(point.weight) ? 0 : inputs_.gradient_roundings(group);
  for (std::int64_t cell_y = point.y.first; cell_y <= point.y.last; ++cell_y) {
    for (std::int64_t cell_x = point.x.first; cell_x <= point.x.last; ++cell_x) {
      const CellErrors errors = errors_in_cell(fractions_in(point.x, cell_x), fractions_in(point.y, cell_y),
                                               products, inputs_.rounding().unit);
      for (std::size_t corner = 0; corner < 4; ++corner) {
        const std::int64_t x = cell_x + ((corner & 1) != 0 ? 1 : 0), y = cell_y + ((corner & 2) != 0 ? 1 : 0);
        if (x < columns.first || x > columns.last || y < rows.first || y > rows.last) continue;
        Share<Scalar>& share = shares[static_cast<std::size_t>(
            (y - rows.first) * (columns.last - columns.first + 1) + x - columns.first)];
        share.magnitude = std::max(share.magnitude, a * errors.magnitude[corner]);
        share.parts.weights = std::max(share.parts.weights, a * errors.rounding[corner]);
      }
    }
  }
}

template <typename T>
bool ValueGradient<T>::is_exact(const GroupIndex& group, const Point<Scalar>& point) {
  const std::optional<Grid>& gradients = inputs_.gradient_grid();
  if (!gradients) return false;
  const Rounding& rounding = inputs_.rounding();
  const Level& level = inputs_.forward().level(point.level);
  const T* location = inputs_.forward().location(group.n, group.q, group.m, point.level, point.point);
  const std::optional<int> x = fraction_digits(location[0], level.width, rounding),
                           y = fraction_digits(location[1], level.height, rounding);
  if (!x || !y) return false;
  Grid weight;
  weight.add(point.weight);
  const int digits = *x + *y + weight.digits + gradients->digits;
  const double product = std::fabs(point.weight) * gradients->largest;
  if (!fits(4 * std::max(1.0, product), digits, rounding)) return false;
  digits_ = std::max(digits_, digits);
  largest_product_ = std::max(largest_product_, product);
  return true;
}

template <typename T>
void ValueGradient<T>::add(const Share<Scalar>& share, std::span<const T> gradient, HeadSums<Scalar>& sums) {
  const std::size_t at = static_cast<std::size_t>(share.row) * gradient.size();
  const double relative = share.parts.weights + share.parts.coordinates;
  for (std::size_t d = 0; d < gradient.size(); ++d) {
    const auto g = static_cast<double>(std::fabs(gradient[d]));
    const double counts = g != 0 ? 1 : 0;
    sums.value[at + d] += share.weight * static_cast<Scalar>(gradient[d]);
    sums.magnitude[at + d] += share.magnitude * g;
    sums.bound[at + d] += relative * g + counts * share.parts.underflow * (1 + g);
    sums.terms[at + d] += counts;
  }
}

/// Adds what the sum itself rounds. Exact where no share rounds, and neither the monomials of one nor the sum
/// of all leave the budget.
template <typename T>
void ValueGradient<T>::finish(HeadSums<Scalar>& sums) const {
  const Rounding& rounding = inputs_.rounding();
  const auto channels = static_cast<std::size_t>(inputs_.dims().D);
  for (std::size_t i = 0; i < sums.bound.size(); ++i) {
    if (sums.terms[i] == 0) continue;
    const bool exact = !may_round_[i / channels] &&
                       fits(std::max({4.0, 4 * largest_product_, sums.magnitude[i]}), digits_, rounding);
    const double additions = rounding.unit * (sums.terms[i] - 1) * sums.magnitude[i];
    sums.bound[i] = exact ? 0 : (sums.bound[i] + additions) * inputs_.margin(sums.terms[i]);
  }
}

template <typename T>
void ValueGradient<T>::evaluate(std::int64_t n, std::int64_t m, HeadSums<Scalar>& sums) {
  const Dims& dims = inputs_.dims();
  const auto elements = static_cast<std::size_t>(dims.S * dims.D);
  sums.value.assign(elements, 0);
  for (std::vector<double>* each : {&sums.magnitude, &sums.bound, &sums.terms}) each->assign(elements, 0);
  may_round_.assign(static_cast<std::size_t>(dims.S), false);
  digits_ = 0;
  largest_product_ = 0;
  for_each_point(n, m, [&](const GroupIndex& group, const Point<Scalar>& point) {
    find_shares(group, point, shares_);
    const bool exact = !shares_.empty() && is_exact(group, point);
    for (const Share<Scalar>& share : shares_) {
      add(share, inputs_.gradient().row(group), sums);
      if (!exact) may_round_[static_cast<std::size_t>(share.row)] = true;
    }
  });
  finish(sums);
}

/// Every pixel of a cell counts, those of weight 0 too: an infinity times 0 is NaN. Partial sums of a point's
/// monomials are at most four times its product.
template <typename T>
void ValueGradient<T>::find_overflows(std::int64_t n, std::int64_t m, std::vector<bool>& overflows) const {
  const Dims& dims = inputs_.dims();
  const double limit = inputs_.rounding().largest / 4;
  std::vector<double> extent(static_cast<std::size_t>(dims.S * dims.D), 0);
  for_each_point(n, m, [&](const GroupIndex& group, const Point<Scalar>& point) {
    const Level& level = inputs_.forward().level(point.level);
    const CellRange columns = touched_cells(point.x, level.width),
                    rows = touched_cells(point.y, level.height);
    if (columns.first > columns.last || rows.first > rows.last) return;
    const std::span<const T> gradient = inputs_.gradient().row(group);
    for (std::int64_t y = rows.first; y <= rows.last + 1; ++y) {
      for (std::int64_t x = columns.first; x <= columns.last + 1; ++x) {
        if (!inputs_.forward().inside(point.level, y, x)) continue;
        double* row = extent.data() + (level.start + y * level.width + x) * dims.D;
        for (std::size_t d = 0; d < gradient.size(); ++d)
          row[d] += std::fabs(point.weight) * std::fabs(static_cast<double>(gradient[d]));
      }
    }
  });
  overflows.resize(extent.size());
  for (std::size_t i = 0; i < extent.size(); ++i) overflows[i] = !(extent[i] <= limit);
}

template <typename T>
BoundParts ValueGradient<T>::parts(std::int64_t n, std::int64_t m, std::int64_t row, std::int64_t d,
                                   std::vector<Contributor>& contributors) const {
  BoundParts parts;
  std::vector<Share<Scalar>> shares;
  double terms = 0, magnitude = 0;
  for_each_point(n, m, [&](const GroupIndex& group, const Point<Scalar>& point) {
    const auto g = static_cast<double>(std::fabs(inputs_.gradient().row(group)[static_cast<std::size_t>(d)]));
    if (g == 0) return;
    find_shares(group, point, shares);
    for (const Share<Scalar>& share : shares) {
      if (share.row != row) continue;
      ++terms;
      magnitude += share.magnitude * g;
      parts.weights += share.parts.weights * g;
      parts.coordinates += share.parts.coordinates * g;
      parts.underflow += share.parts.underflow * (1 + g);
      contributors.push_back({group.q, point, static_cast<double>(share.weight)});
    }
  });
  if (terms > 0) parts.accumulation = inputs_.rounding().unit * (terms - 1) * magnitude;
  return parts;
}

template class ValueGradient<float>;
template class ValueGradient<double>;

}  // namespace deformdiff::ms_deform_attn
