#include "oracles/ms_deform_attn/backward/point_gradients.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

/// Differences of products lose so much of their magnitudes: README, "The oracle's own error".
double slope_loss(double terms) {
  return 0x1p-53 * (terms + 8);
}

double additions(double terms) {
  return std::max(terms - 1, 0.0);
}

template <typename Scalar>
double distance(Scalar a, Scalar b) {
  return std::fabs(static_cast<double>(a - b));
}

template <typename Scalar>
bool is_candidate(const AxisSample<Scalar>& axis) {
  return axis.cell >= axis.first && axis.cell <= axis.last;
}

std::optional<int> sum_of(std::optional<int> a, std::optional<int> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

/// Whether code that skips points out of range may skip this one, and code without such a test may take a
/// slope.
template <typename Scalar>
struct EdgeRule {
  bool zero, slopes;

  EdgeRule(const AxisSample<Scalar>& along, std::int64_t side, EdgeGradient edge) {
    const bool first = along.on_edge(), last = along.on_far_edge(side);
    zero = first ? edge != EdgeGradient::kOneSided : last || !along.surely_inside;
    slopes = !(first || last) || edge != EdgeGradient::kZero;
  }
};

}  // namespace

template <typename T>
PointGradients<T>::PointGradients(const BackwardInputs<T>& inputs) : inputs_(inputs) {}

/// Monomials of a sample and of a slope are at most nine times the sum of the magnitudes of its corners.
template <typename T>
bool PointGradients<T>::budget_holds(std::optional<int> digits, double magnitude) const {
  const std::optional<Grid>&values = inputs_.value_grid(), &gradients = inputs_.gradient_grid();
  return digits && values && gradients &&
         fits(9 * std::max(1.0, magnitude), *digits + values->digits + gradients->digits, inputs_.rounding());
}

template <typename T>
typename PointGradients<T>::Scalar PointGradients<T>::sample(const Point<Scalar>& point) const {
  if (!is_candidate(point.x) || !is_candidate(point.y)) return 0;
  const std::int64_t x = point.x.cell, y = point.y.cell;
  const Scalar far_x = point.x.position - static_cast<Scalar>(x), near_x = 1 - far_x;
  const Scalar far_y = point.y.position - static_cast<Scalar>(y), near_y = 1 - far_y;
  return near_y * (near_x * block_.at(x, y).value + far_x * block_.at(x + 1, y).value) +
         far_y * (near_x * block_.at(x, y + 1).value + far_x * block_.at(x + 1, y + 1).value);
}

/// The forward's bound, with channels for points and grad_output for attention weights. The largest part over
/// all cells that the computed position may fall in.
template <typename T>
void PointGradients<T>::round_sample(const Point<Scalar>& point, double products,
                                     PointGradient<Scalar>& result) const {
  const double unit = inputs_.rounding().unit;
  const double dx = point.x.on_pixel() ? 0 : point.x.shift, dy = point.y.on_pixel() ? 0 : point.y.shift;
  Interval<Scalar>& interval = result.intervals.front();
  double most_terms = 0, moved_x = 0, moved_y = 0, moved_xy = 0, lost = 0;
  for (std::int64_t y = point.y.first; y <= point.y.last; ++y) {
    for (std::int64_t x = point.x.first; x <= point.x.last; ++x) {
      const AxisFractions in_x = fractions_in(point.x, x), in_y = fractions_in(point.y, y);
      const CellErrors errors = errors_in_cell(in_x, in_y, products, unit);
      const std::array<const Product<Scalar>*, 4> corners{&block_.at(x, y), &block_.at(x + 1, y),
                                                          &block_.at(x, y + 1), &block_.at(x + 1, y + 1)};
      double terms = 0, magnitude = 0, rounding = 0, all = 0;
      for (std::size_t c = 0; c < 4; ++c) {
        if (((c & 1) != 0 && in_x.on_pixel) || ((c & 2) != 0 && in_y.on_pixel)) continue;
        terms += corners[c]->terms;
        magnitude += errors.magnitude[c] * corners[c]->magnitude;
        rounding += errors.rounding[c] * corners[c]->magnitude;
        all += corners[c]->magnitude;
      }
      const Scalar top = corners[1]->value - corners[0]->value,
                   bottom = corners[3]->value - corners[2]->value;
      const Scalar left = corners[2]->value - corners[0]->value,
                   right = corners[3]->value - corners[1]->value;
      const Scalar fx = in_x.fraction, fy = in_y.fraction;
      most_terms = std::max(most_terms, terms);
      result.magnitude = std::max(result.magnitude, magnitude);
      interval.parts.accumulation =
          std::max(interval.parts.accumulation, unit * additions(terms) * magnitude);
      interval.parts.weights = std::max(interval.parts.weights, rounding);
      moved_x = std::max(moved_x, distance((1 - fy) * top, -fy * bottom));
      moved_y = std::max(moved_y, distance((1 - fx) * left, -fx * right));
      moved_xy = std::max(moved_xy, distance(bottom, top));
      lost = std::max(lost, slope_loss(terms) * all);
    }
  }
  interval.parts.coordinates = dx * (moved_x + lost) + dy * (moved_y + lost) + dx * dy * (moved_xy + lost);
  interval.parts.underflow = inputs_.underflow() * block_.underflow_scale();
  interval.margin = inputs_.margin(most_terms);
}

template <typename T>
void PointGradients<T>::of_weight(const GroupIndex& group, const Point<Scalar>& point,
                                  PointGradient<Scalar>& result) {
  result = {};
  Interval<Scalar>& interval = result.intervals.emplace_back();
  result.reached = point.x.in_reach() && point.y.in_reach();
  if (!result.reached) return;
  const Level& level = inputs_.forward().level(point.level);
  block_.load(inputs_, group, point.level, {point.x.first, point.x.last}, {point.y.first, point.y.last});
  interval.value = sample(point);
  round_sample(point, inputs_.gradient_roundings(group), result);
  const T* location = inputs_.forward().location(group.n, group.q, group.m, point.level, point.point);
  interval.exact = budget_holds(sum_of(fraction_digits(location[0], level.width, inputs_.rounding()),
                                       fraction_digits(location[1], level.height, inputs_.rounding())),
                                block_.magnitude());
}

/// What the slopes along one axis have in common.
template <typename T>
struct PointGradients<T>::Line {
  Axis axis;
  const AxisSample<Scalar>& along;
  const AxisSample<Scalar>& across;
  std::int64_t side;                       ///< along the axis
  double weight;                           ///< attention weight
  double of_gradient, of_weight, of_side;  ///< roundings of products with each
  CellRange cells;
  std::optional<int> digits;  ///< of everything but value and grad_output; none if something rounds
};

/// Two pixels beside each other along the axis.
template <typename T>
struct PointGradients<T>::Pair {
  Scalar difference;
  double magnitude, terms;
};

template <typename T>
typename PointGradients<T>::Line PointGradients<T>::line_of(const GroupIndex& group,
                                                            const Point<Scalar>& point, Axis axis) const {
  const bool is_x = axis == Axis::kX;
  const Level& level = inputs_.forward().level(point.level);
  const std::int64_t side = is_x ? level.width : level.height, other = is_x ? level.height : level.width;
  const bool dyadic = std::has_single_bit(static_cast<std::uint64_t>(side));
  Line line{axis,
            is_x ? point.x : point.y,
            is_x ? point.y : point.x,
            side,
            point.weight,
            inputs_.gradient_roundings(group),
            is_power_of_two(point.weight) ? 0.0 : 1.0,
            dyadic ? 0.0 : (inputs_.coordinates() == Coordinates::kAny ? 2.0 : 1.0),
            {},
            {}};
  line.cells = touched_cells(line.along, side);
  if (dyadic) {
    const T* location = inputs_.forward().location(group.n, group.q, group.m, point.level, point.point);
    Grid weight;
    weight.add(point.weight);
    // A grid's slope is multiplied by side / 2.
    line.digits =
        sum_of(fraction_digits(location[is_x ? 1 : 0], other, inputs_.rounding()), weight.digits + 1);
  }
  return line;
}

template <typename T>
typename PointGradients<T>::Pair PointGradients<T>::pair(const Line& line, std::int64_t cell,
                                                         std::int64_t across) const {
  const bool is_x = line.axis == Axis::kX;
  const Product<Scalar>& before = is_x ? block_.at(cell, across) : block_.at(across, cell);
  const Product<Scalar>& behind = is_x ? block_.at(cell + 1, across) : block_.at(across, cell + 1);
  return {behind.value - before.value, before.magnitude + behind.magnitude, before.terms + behind.terms};
}

/// The largest over the cells that the other coordinate may fall in.
template <typename T>
void PointGradients<T>::round_slope(const Line& line, std::int64_t cell, Interval<Scalar>& interval,
                                    double& magnitude) const {
  const double scale = static_cast<double>(line.side) * std::fabs(line.weight);
  const double units = scale * inputs_.rounding().unit;
  const double products = line.of_gradient + line.of_weight + line.of_side;
  const double channels = additions(block_.terms()) + line.of_gradient + line.of_weight;
  double most_terms = 0, most_rounding = 0, most_accumulation = 0, moved = 0, lost = 0;
  for (std::int64_t k = line.across.first; k <= line.across.last; ++k) {
    const Pair near = pair(line, cell, k);
    if (line.across.on_pixel()) {
      most_terms = near.terms;
      magnitude = std::max(magnitude, scale * near.magnitude);
      most_accumulation = additions(near.terms) * near.magnitude;
      most_rounding = most_accumulation + products * near.magnitude;
      continue;
    }
    const Pair far = pair(line, cell, k + 1);
    const AxisFractions at = fractions_in(line.across, k);
    const double y = at.near, z = at.far, far_error = at.before_first_pixel ? at.far : 0;
    const double terms = near.terms + far.terms;
    const double accumulation = additions(terms) * (y * near.magnitude + z * far.magnitude);
    const double flat = (std::max(2 + 4 * z, 7 * y) + products * y) * near.magnitude +
                        (std::max(2 + 4 * y, 7 * z) + products * z) * far.magnitude + accumulation;
    const auto apart = [&](double base, double other, double of_base, double of_other) {
      return (channels * (1 + other) + 2 + 4 * other + line.of_side * base) * of_base +
             (channels + 7 + line.of_side) * other * of_other;
    };
    const double rounding = std::max({flat, apart(y, z, near.magnitude, far.magnitude),
                                      apart(z, y, far.magnitude, near.magnitude)}) +
                            far_error * far.magnitude;
    most_terms = std::max(most_terms, terms);
    magnitude = std::max(magnitude, scale * (y * near.magnitude + z * far.magnitude));
    most_rounding = std::max(most_rounding, rounding);
    most_accumulation = std::max(most_accumulation, accumulation);
    moved = std::max(moved, distance(far.difference, near.difference));
    lost = std::max(lost, slope_loss(terms) * (near.magnitude + far.magnitude));
  }
  const double shift = line.across.on_pixel() ? 0 : line.across.shift;
  interval.parts.accumulation = units * most_accumulation;
  interval.parts.weights = units * (most_rounding - most_accumulation);
  interval.parts.coordinates = scale * shift * (moved + lost);
  interval.parts.underflow = inputs_.underflow() * (1 + std::fabs(line.weight)) *
                             static_cast<double>(line.side) * block_.underflow_scale();
  interval.margin = inputs_.margin(most_terms);
}

template <typename T>
Interval<typename PointGradients<T>::Scalar> PointGradients<T>::slope(const Line& line, std::int64_t cell,
                                                                      double& magnitude) const {
  Interval<Scalar> interval;
  if (is_candidate(line.across)) {
    const std::int64_t k = line.across.cell;
    const Scalar far = line.across.position - static_cast<Scalar>(k);
    interval.value = static_cast<Scalar>(line.side) * static_cast<Scalar>(line.weight) *
                     ((1 - far) * pair(line, cell, k).difference + far * pair(line, cell, k + 1).difference);
  }
  round_slope(line, cell, interval, magnitude);
  interval.exact =
      budget_holds(line.digits, static_cast<double>(line.side) * std::fabs(line.weight) * block_.magnitude());
  return interval;
}

template <typename T>
void PointGradients<T>::of_location(const GroupIndex& group, const Point<Scalar>& point, Axis axis,
                                    PointGradient<Scalar>& result) {
  result = {};
  const Line line = line_of(group, point, axis);
  const EdgeRule<Scalar> rule(line.along, line.side, inputs_.contract().edge_gradient);
  result.reached = point.weight != 0 && line.cells.first <= line.cells.last && line.across.in_reach();
  if (!result.reached) {
    result.intervals.emplace_back();
    return;
  }
  const CellRange across{line.across.first, line.across.last};
  axis == Axis::kX ? block_.load(inputs_, group, point.level, line.cells, across)
                   : block_.load(inputs_, group, point.level, across, line.cells);
  const auto add = [&](const Interval<Scalar>& added) {
    for (const Interval<Scalar>& known : result.intervals) {
      if (known.value == added.value && known.bound() == added.bound()) return;
    }
    result.intervals.push_back(added);
  };
  // The exact position's own cell comes first: its slope is the value that people are shown.
  if (rule.slopes && is_candidate(line.along)) add(slope(line, line.along.cell, result.magnitude));
  if (rule.zero) add({});
  for (std::int64_t cell = line.cells.first; rule.slopes && cell <= line.cells.last; ++cell)
    add(slope(line, cell, result.magnitude));
}

template <typename T>
bool PointGradients<T>::weight_overflows(const GroupIndex& group, const Point<Scalar>& point) const {
  const Level& level = inputs_.forward().level(point.level);
  return !(largest_partial(inputs_, group, point.level, touched_cells(point.x, level.width),
                           touched_cells(point.y, level.height), 1) <= inputs_.rounding().largest / 4);
}

template <typename T>
bool PointGradients<T>::location_overflows(const GroupIndex& group, const Point<Scalar>& point,
                                           Axis axis) const {
  const Level& level = inputs_.forward().level(point.level);
  const double factor = static_cast<double>(axis == Axis::kX ? level.width : level.height) *
                        std::max(1.0, std::fabs(point.weight));
  return !(largest_partial(inputs_, group, point.level, touched_cells(point.x, level.width),
                           touched_cells(point.y, level.height), factor) <= inputs_.rounding().largest / 4);
}

template class PointGradients<float>;
template class PointGradients<double>;

}  // namespace deformdiff::ms_deform_attn
