#include "oracles/ms_deform_attn/group.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <Eigen/Core>

namespace deformdiff::ms_deform_attn {
namespace {

/// Elements of a cache line.
constexpr std::int64_t kCacheLine = 16;

/// Bytes of values that stay in a core's cache: nothing to prefetch.
constexpr std::size_t kSmallMaps = std::size_t{1} << 19;

/// Roundings along the longest path of any stable formula, beside the additions of the outer sum.
constexpr double kInnerRoundings = 40;

/// Products of one corner that can underflow, times the parts that each may lose: README, "Underflow".
double underflow_factor(const Rounding& rounding) {
  return rounding.flush_to_zero ? 8 : 4;
}

}  // namespace

static_assert(kRowPadding >= kLanes - 1);

template <typename Scalar>
AxisFractions fractions_in(const AxisSample<Scalar>& axis, std::int64_t cell) {
  if (axis.on_pixel()) return {0, 1, 0, 0, true, false};
  const double far = std::clamp(static_cast<double>(axis.position - static_cast<Scalar>(cell)), 0.0, 1.0);
  const double near =
      std::clamp(static_cast<double>(static_cast<Scalar>(cell + 1) - axis.position), 0.0, 1.0);
  return {far,     std::min(near + axis.shift, 1.0), std::min(far + axis.shift, 1.0), axis.shift, false,
          cell < 0};
}

template <typename T>
GroupEvaluator<T>::GroupEvaluator(const Inputs<T>& inputs, const Rounding& rounding, Coordinates coordinates)
    : inputs_(inputs), rounding_(rounding), maps_are_large_(inputs.rows().size_bytes() > kSmallMaps) {
  for (std::int64_t l = 0; l < inputs.dims().L; ++l) {
    const Level& level = inputs.level(l);
    locators_.push_back({{level.width, coordinates, rounding}, {level.height, coordinates, rounding}});
  }
}

template <typename T>
void GroupEvaluator<T>::collect(const GroupIndex& group, ZeroWeights zero_weights) {
  points_.clear();
  const T* location = inputs_.location(group.n, group.q, group.m, 0, 0);
  const T* weight = inputs_.weights(group.n, group.q, group.m);
  for (std::int64_t l = 0; l < inputs_.dims().L; ++l) {
    const Locators& locators = locators_[static_cast<std::size_t>(l)];
    for (std::int64_t p = 0; p < inputs_.dims().P; ++p, location += 2, ++weight) {
      if (*weight == 0 && zero_weights == ZeroWeights::kSkip) continue;
      if (!std::isfinite(*weight) || !std::isfinite(location[0]) || !std::isfinite(location[1])) continue;
      // In place: a point is large, and most are kept.
      Point<Scalar>& point = points_.emplace_back();
      locators.x.locate(location[0], point.x);
      if (point.x.in_reach()) locators.y.locate(location[1], point.y);
      if (!point.x.in_reach() || !point.y.in_reach()) {
        points_.pop_back();
        continue;
      }
      point.level = l;
      point.point = p;
      point.weight = static_cast<double>(*weight);
      if (maps_are_large_) prefetch(group, point);
    }
  }
}

/// The rows are read only after all points are known: by then they are in cache.
template <typename T>
void GroupEvaluator<T>::prefetch(const GroupIndex& group, const Point<Scalar>& point) const {
  for (const std::int64_t y : {point.y.first, point.y.first + 1}) {
    const T* row = inputs_.pixel(group.n, group.m, point.level, y, std::max<std::int64_t>(point.x.first, 0));
    for (std::int64_t d = 0; d < 2 * inputs_.dims().D; d += kCacheLine) __builtin_prefetch(row + d);
  }
}

/// Corners that one cell column can contribute along an axis.
template <typename Scalar>
std::int64_t pixels_touched(const AxisSample<Scalar>& axis, std::int64_t side) {
  if (axis.on_pixel()) return axis.cell >= 0 ? 1 : 0;
  const auto of_cell = [side](std::int64_t cell) -> std::int64_t {
    return (cell >= 0 ? 1 : 0) + (cell + 1 < side ? 1 : 0);
  };
  if (axis.first == axis.last) return of_cell(axis.first);
  const std::int64_t most = std::max(of_cell(axis.first), of_cell(axis.last));
  return axis.last - axis.first > 1 ? std::min<std::int64_t>(side, 2) : most;
}

template <typename T>
void GroupEvaluator<T>::count_terms() {
  counts_ = {};
  for (const Point<Scalar>& point : points_) {
    const Level& level = inputs_.level(point.level);
    const std::int64_t corners = pixels_touched(point.x, level.width) * pixels_touched(point.y, level.height);
    counts_.points += corners > 0 ? 1 : 0;
    counts_.corners += corners;
  }
}

template <typename T>
TermRules GroupEvaluator<T>::rules_of(const Parts& parts) const {
  const double underflow = parts.underflow ? underflow_factor(rounding_) * rounding_.underflow : 0;
  return {counts_, rounding_.unit, underflow, parts.accumulation, parts.weights, parts.coordinates};
}

template <typename T>
void GroupEvaluator<T>::add_cell(const Rows<T>& rows, const AxisFractions& x, const AxisFractions& y,
                                 double weight) {
  const std::size_t lane = rows_.size() % kLanes;
  if (lane == 0) weights_.emplace_back();
  weights_.back().set(lane, x, y, weight);
  rows_.push_back(rows);
}

template <typename T>
std::array<typename GroupEvaluator<T>::Scalar, 4> GroupEvaluator<T>::value_weights(
    const Point<Scalar>& point) const {
  const Scalar a = point.weight;
  const Scalar far_x = point.x.position - static_cast<Scalar>(point.x.cell), near_x = 1 - far_x;
  const Scalar far_y = point.y.position - static_cast<Scalar>(point.y.cell), near_y = 1 - far_y;
  return {a * (near_x * near_y), a * (far_x * near_y), a * (near_x * far_y), a * (far_x * far_y)};
}

/// A point that is outside the map, but not surely, is in none of its candidate cells and has no value.
template <typename T>
void GroupEvaluator<T>::add_cells(const GroupIndex& group, const Point<Scalar>& point,
                                  GroupResult<Scalar>& result) {
  Contribution contribution{{}, 0, 0};
  for (std::int64_t y = point.y.first; y <= point.y.last; ++y) {
    const AxisFractions in_y = fractions_in(point.y, y);
    for (std::int64_t x = point.x.first; x <= point.x.last; ++x) {
      const Rows<T> rows = inputs_.corners(group.n, group.m, point.level, y, x);
      add_cell(rows, fractions_in(point.x, x), in_y, point.weight);
      if (x == point.x.cell && y == point.y.cell) {
        contribution.value_cell = contribution.cells;
        if constexpr (std::is_same_v<T, float>) {
          contribution.weights = value_weights(point);
        } else {
          add_value(rows, value_weights(point), inputs_.dims().D, result.value.data());
        }
      }
      ++contribution.cells;
    }
  }
  contributions_.push_back(contribution);
}

template <typename T>
double GroupEvaluator<T>::margin() const {
  return second_order_factor(static_cast<double>(counts_.corners) + kInnerRoundings, rounding_.unit) *
         (1 + kOwnError<T>);
}

template <typename T>
void GroupEvaluator<T>::evaluate(const GroupIndex& group, const Parts& parts, GroupResult<Scalar>& result) {
  const auto channels = static_cast<std::size_t>(inputs_.dims().D);
  collect(group, ZeroWeights::kSkip);
  count_terms();
  result.value.assign(channels, 0);
  result.bound.resize(channels);
  result.magnitude.resize(channels);
  result.reached = !points_.empty();
  rows_.clear();
  weights_.clear();
  contributions_.clear();
  double constant = 0;
  for (const Point<Scalar>& point : points_) {
    add_cells(group, point, result);
    if (parts.underflow) {
      constant += 4 * underflow_factor(rounding_) * rounding_.underflow * (1 + std::fabs(point.weight));
    }
  }
  terms_.resize(std::max(terms_.size(), weights_.size()));
  fill_terms(weights_, rules_of(parts), terms_);
  if constexpr (std::is_same_v<T, float>) {
    sum_up(contributions_, rows_.data(), terms_.data(), inputs_.dims().D, result.value.data(),
           result.bound.data(), result.magnitude.data());
  } else {
    sum_up(contributions_, rows_.data(), terms_.data(), inputs_.dims().D, result.bound.data(),
           result.magnitude.data());
  }
  Eigen::Map<Eigen::ArrayXd> bound(result.bound.data(), inputs_.dims().D);
  bound = (bound + constant) * margin();
}

template <typename T>
bool GroupEvaluator<T>::may_overflow(const GroupIndex& group, std::int64_t d) const {
  const double limit = rounding_.largest / 4;
  double sum = 0;
  for (const Point<Scalar>& point : points_) {
    double most = 0;
    for (std::int64_t cell_y = point.y.first; cell_y <= point.y.last; ++cell_y) {
      for (std::int64_t cell_x = point.x.first; cell_x <= point.x.last; ++cell_x) {
        double cell = 0;
        for (const T* row : inputs_.corners(group.n, group.m, point.level, cell_y, cell_x))
          cell += std::fabs(static_cast<double>(row[d]));
        most = std::max(most, cell);
      }
    }
    sum += std::fabs(point.weight) * most;
    if (most > limit || !(sum <= limit)) return true;
  }
  return false;
}

/// Zero weights count too: an infinity times 0 is NaN.
template <typename T>
void GroupEvaluator<T>::find_overflows(const GroupIndex& group, std::vector<bool>& overflows) {
  collect(group, ZeroWeights::kKeep);
  overflows.assign(static_cast<std::size_t>(inputs_.dims().D), false);
  for (std::size_t d = 0; d < overflows.size(); ++d)
    overflows[d] = may_overflow(group, static_cast<std::int64_t>(d));
}

template AxisFractions fractions_in(const AxisSample<double>&, std::int64_t);
template AxisFractions fractions_in(const AxisSample<long double>&, std::int64_t);
template class GroupEvaluator<float>;
template class GroupEvaluator<double>;

}  // namespace deformdiff::ms_deform_attn
