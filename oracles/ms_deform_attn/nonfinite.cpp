#include "oracles/ms_deform_attn/nonfinite.h"

#include <algorithm>
#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr std::uint8_t kInfinities = kAdmitsPlusInf | kAdmitsMinusInf;

/// Weights below this many u may come out as 0 in a formula whose weights have absolute errors.
constexpr double kDoubtfulWeight = 8;

std::uint8_t infinity_of(bool negative) {
  return negative ? kAdmitsMinusInf : kAdmitsPlusInf;
}

}  // namespace

std::uint8_t sum_of(std::uint8_t a, std::uint8_t b) {
  std::uint8_t sum = 0;
  if (((a | b) & kAdmitsNan) != 0) sum |= kAdmitsNan;
  if (((a & kAdmitsPlusInf) != 0 && (b & kAdmitsMinusInf) != 0) ||
      ((a & kAdmitsMinusInf) != 0 && (b & kAdmitsPlusInf) != 0)) {
    sum |= kAdmitsNan;
  }
  for (const std::uint8_t infinity : {kAdmitsPlusInf, kAdmitsMinusInf}) {
    const std::uint8_t with = kAdmitsFinite | infinity;
    if (((a & infinity) != 0 && (b & with) != 0) || ((b & infinity) != 0 && (a & with) != 0)) sum |= infinity;
  }
  if ((a & b & kAdmitsFinite) != 0) sum |= kAdmitsFinite;
  return sum;
}

template <typename T>
NonfiniteJudge<T>::NonfiniteJudge(const Inputs<T>& inputs, const Rounding& rounding, Coordinates coordinates,
                                  const Contract& contract)
    : inputs_(inputs), rounding_(rounding), coordinates_(coordinates), contract_(contract) {}

template <typename T>
std::uint8_t NonfiniteJudge<T>::outside(T weight) const {
  if (std::isfinite(weight)) return kAdmitsFinite;
  switch (contract_.nonfinite_weight_outside) {
    case NonfiniteWeightOutside::kIgnored:
      return kAdmitsFinite;
    case NonfiniteWeightOutside::kPropagates:
      return kAdmitsNan;
    default:
      return kAdmitsFinite | kAdmitsNan;
  }
}

template <typename T>
std::uint8_t NonfiniteJudge<T>::lost_location() const {
  switch (contract_.nonfinite_location) {
    case NonfiniteLocation::kZero:
      return kAdmitsFinite;
    case NonfiniteLocation::kNan:
      return kAdmitsNan;
    default:
      return kAdmitsFinite | kAdmitsNan;
  }
}

template <typename T>
std::uint8_t NonfiniteJudge<T>::corner(T value, double weight, bool surely_zero, double least) const {
  if (std::isfinite(value)) return kAdmitsFinite;
  std::uint8_t skipped = kAdmitsFinite | kAdmitsNan;
  if (contract_.nonfinite_value_at_zero_weight == NonfiniteValueAtZeroWeight::kPropagates)
    skipped = kAdmitsNan;
  if (contract_.nonfinite_value_at_zero_weight == NonfiniteValueAtZeroWeight::kIgnored)
    skipped = kAdmitsFinite;
  if (surely_zero) return skipped;
  std::uint8_t used = kAdmitsNan;
  if (std::isinf(value)) used |= infinity_of(std::signbit(value) != std::signbit(weight));
  const bool surely_used =
      least > kDoubtfulWeight * rounding_.unit && std::fabs(weight) * least > 4 * rounding_.tiny;
  if (surely_used) return used;
  return skipped | used | (std::isinf(value) ? kInfinities : 0);
}

template <typename T>
bool NonfiniteJudge<T>::may_be_open_at_the_left() const {
  return contract_.nonfinite_value_at_zero_weight == NonfiniteValueAtZeroWeight::kAny;
}

template <typename T>
bool NonfiniteJudge<T>::on_edge(const AxisSample<Scalar>& axis, std::int64_t side) const {
  return axis.on_edge() || (may_be_open_at_the_left() && axis.on_far_edge(side));
}

template <typename T>
typename NonfiniteJudge<T>::CellRange NonfiniteJudge<T>::cells(const AxisSample<Scalar>& axis,
                                                               std::int64_t side) const {
  if (axis.on_edge()) return {-1, -1};
  if (axis.on_far_edge(side)) return {side - 1, side - 1};
  return {axis.first - (may_be_open_at_the_left() && axis.on_pixel() ? 1 : 0), axis.last};
}

template <typename T>
std::uint8_t NonfiniteJudge<T>::in_cell(const GroupIndex& group, const Point<Scalar>& at, std::int64_t cell_x,
                                        std::int64_t cell_y, std::int64_t d) const {
  std::uint8_t admits = kAdmitsFinite;
  for (int index = 0; index < 4; ++index) {
    const bool right = (index & 1) != 0, lower = (index & 2) != 0;
    const std::int64_t x = cell_x + (right ? 1 : 0), y = cell_y + (lower ? 1 : 0);
    if (!inputs_.inside(at.level, y, x)) continue;
    const bool surely_zero =
        at.weight == 0 || (at.x.on_pixel() && x != at.x.cell) || (at.y.on_pixel() && y != at.y.cell);
    const double least = least_weight(at.x, cell_x, right) * least_weight(at.y, cell_y, lower);
    admits = sum_of(admits, corner(inputs_.raw_value(group.n, group.m, at.level, y, x, d), at.weight,
                                   surely_zero, least));
  }
  return admits;
}

/// An infinite weight in range: NaN, or the infinities that the sample's sign allows.
template <typename T>
std::uint8_t NonfiniteJudge<T>::infinite_weight(const GroupIndex& group, const Point<Scalar>& at, T weight,
                                                std::int64_t d) const {
  std::uint8_t admits = kAdmitsNan;
  for (std::int64_t y = at.y.first; y <= at.y.last + 1; ++y) {
    for (std::int64_t x = at.x.first; x <= at.x.last + 1; ++x) {
      if (!inputs_.inside(at.level, y, x)) continue;
      const T value = inputs_.raw_value(group.n, group.m, at.level, y, x, d);
      if (!std::isfinite(value)) return kAdmitsNan | kInfinities;
      if (value != 0) admits |= infinity_of(std::signbit(value) != std::signbit(weight));
    }
  }
  return admits;
}

template <typename T>
std::uint8_t NonfiniteJudge<T>::point(const GroupIndex& group, const Point<Scalar>& at, T weight,
                                      std::int64_t d) const {
  const bool surely_inside = at.x.surely_inside && at.y.surely_inside;
  std::uint8_t admits = surely_inside ? 0 : outside(weight);
  if (std::isnan(weight)) return admits | kAdmitsNan;
  if (std::isinf(weight)) return admits | infinite_weight(group, at, weight, d);
  const CellRange in_x = cells(at.x, inputs_.level(at.level).width);
  const CellRange in_y = cells(at.y, inputs_.level(at.level).height);
  for (std::int64_t cell_y = in_y.first; cell_y <= in_y.last; ++cell_y) {
    for (std::int64_t cell_x = in_x.first; cell_x <= in_x.last; ++cell_x) {
      admits |= in_cell(group, at, cell_x, cell_y, d);
    }
  }
  return admits;
}

/// On the edge of the map along an axis: a NaN or an infinity in the first or last pixels may be met with
/// weight 0.
template <typename T>
std::uint8_t NonfiniteJudge<T>::edge(const GroupIndex& group, const Point<Scalar>& at, T weight,
                                     std::int64_t d) const {
  if (contract_.nonfinite_value_at_zero_weight == NonfiniteValueAtZeroWeight::kIgnored)
    return outside(weight);
  const CellRange in_x = cells(at.x, inputs_.level(at.level).width);
  const CellRange in_y = cells(at.y, inputs_.level(at.level).height);
  for (std::int64_t y = in_y.first; y <= in_y.last + 1; ++y) {
    for (std::int64_t x = in_x.first; x <= in_x.last + 1; ++x) {
      if (!inputs_.inside(at.level, y, x)) continue;
      if (!std::isfinite(inputs_.raw_value(group.n, group.m, at.level, y, x, d))) {
        return outside(weight) | kAdmitsNan;
      }
    }
  }
  return outside(weight);
}

template <typename T>
typename NonfiniteJudge<T>::Place NonfiniteJudge<T>::place(const GroupIndex& group, std::int64_t l,
                                                           std::int64_t p, Point<Scalar>& at) const {
  const Level& level = inputs_.level(l);
  const T* location = inputs_.location(group.n, group.q, group.m, l, p);
  if (!std::isfinite(location[0]) || !std::isfinite(location[1])) return Place::kLost;
  if (coordinate_may_overflow(location[0], level.width, rounding_) ||
      coordinate_may_overflow(location[1], level.height, rounding_)) {
    return Place::kHuge;
  }
  at = {l, p, static_cast<double>(inputs_.weight(group.n, group.q, group.m, l, p)),
        locate<Scalar>(location[0], level.width, coordinates_, rounding_),
        locate<Scalar>(location[1], level.height, coordinates_, rounding_)};
  const bool edge_x = on_edge(at.x, level.width), edge_y = on_edge(at.y, level.height);
  if (!(at.x.in_reach() || edge_x) || !(at.y.in_reach() || edge_y)) return Place::kOutside;
  return edge_x || edge_y ? Place::kEdge : Place::kInside;
}

template <typename T>
void NonfiniteJudge<T>::sample(const GroupIndex& group, std::int64_t l, std::int64_t p,
                               std::span<const T> weights, std::span<std::uint8_t> sets) const {
  Point<Scalar> at;
  const Place where = place(group, l, p, at);
  for (std::size_t d = 0; d < sets.size(); ++d) {
    const T weight = weights[d];
    at.weight = static_cast<double>(weight);
    const auto channel = static_cast<std::int64_t>(d);
    switch (where) {
      case Place::kLost:
        sets[d] = lost_location();
        break;
      case Place::kHuge:
        sets[d] = outside(weight) | (lost_location() & kAdmitsNan);
        break;
      case Place::kOutside:
        sets[d] = outside(weight);
        break;
      case Place::kEdge:
        sets[d] = edge(group, at, weight, channel);
        break;
      case Place::kInside:
        sets[d] = point(group, at, weight, channel);
        break;
    }
  }
}

template <typename T>
void NonfiniteJudge<T>::judge(const GroupIndex& group, std::span<std::uint8_t> admits) const {
  std::fill(admits.begin(), admits.end(), static_cast<std::uint8_t>(kAdmitsFinite));
  std::vector<T> weights(admits.size());
  std::vector<std::uint8_t> sets(admits.size());
  for (std::int64_t l = 0; l < inputs_.dims().L; ++l) {
    for (std::int64_t p = 0; p < inputs_.dims().P; ++p) {
      std::fill(weights.begin(), weights.end(), inputs_.weight(group.n, group.q, group.m, l, p));
      sample(group, l, p, weights, sets);
      for (std::size_t d = 0; d < admits.size(); ++d) admits[d] = sum_of(admits[d], sets[d]);
    }
  }
}

template class NonfiniteJudge<float>;
template class NonfiniteJudge<double>;

}  // namespace deformdiff::ms_deform_attn
