#include "oracles/ms_deform_attn/sampling.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace deformdiff::ms_deform_attn {
namespace {

/// Whether t is a number of the subject's dtype; `t` itself is exact. Subnormals count as inexact.
template <typename Scalar>
bool representable(Scalar t, const Rounding& rounding) {
  if (t == 0) return true;
  if (std::fabs(static_cast<double>(t)) < rounding.tiny) return false;
  return rounding.precision == std::numeric_limits<double>::digits ? is_number_of<double>(t, rounding)
                                                                   : is_number_of<float>(t, rounding);
}

/// A sum and what its rounding lost, exactly (Knuth's TwoSum; Higham 4.3).
template <typename Scalar>
struct Sum {
  Scalar value, lost;
};

template <typename Scalar>
Sum<Scalar> two_sum(Scalar a, Scalar b) {
  const Scalar value = a + b;
  const Scalar back = value - a;
  return {value, (a - (value - back)) + (b - back)};
}

/// Whether a sum is a number of the subject's dtype.
template <typename Scalar>
bool representable(const Sum<Scalar>& sum, const Rounding& rounding) {
  return sum.lost == 0 && representable(sum.value, rounding);
}

/// An error that is made only if what went before, or the result, is inexact.
template <typename Scalar>
double rounding_error(Scalar exact_result, double error_before, const Rounding& rounding) {
  if (error_before == 0 && representable(exact_result, rounding)) return 0;
  return rounding.unit *
         first_place(std::fabs(static_cast<double>(exact_result)) * (1 + 0x1p-50) + error_before);
}

/// floor(t) without a library call; |t| is far below 2^63.
template <typename Scalar>
std::int64_t floor_index(Scalar t) {
  const auto truncated = static_cast<std::int64_t>(t);
  return truncated - (t < static_cast<Scalar>(truncated) ? 1 : 0);
}

}  // namespace

template <typename Scalar>
struct AxisLocator<Scalar>::Exact {
  Scalar product;    ///< loc * side
  Scalar position;   ///< loc * side - 1/2
  double own_error;  ///< what the oracle itself loses in `position`
};

template <typename Scalar>
AxisLocator<Scalar>::AxisLocator(std::int64_t side, Coordinates coordinates, const Rounding& rounding)
    : side_(side),
      coordinates_(coordinates),
      rounding_(rounding),
      extent_(static_cast<Scalar>(side)),
      width_(static_cast<double>(side)),
      largest_location_(largest_safe_location(side, rounding)),
      dyadic_(std::has_single_bit(static_cast<std::uint64_t>(side))),
      // The product of p bits and the bits of `side` is exact if both fit into the significand.
      product_exact_(rounding.precision + std::bit_width(static_cast<std::uint64_t>(side)) <=
                     std::numeric_limits<Scalar>::digits),
      side_is_inexact_(side >= std::int64_t{1} << rounding.precision) {}

template <typename Scalar>
typename AxisLocator<Scalar>::Exact AxisLocator<Scalar>::evaluate(Scalar location) const {
  constexpr Scalar kUnit = std::numeric_limits<Scalar>::epsilon() / 2;
  const Scalar product = location * extent_;
  const auto [position, lost] = two_sum(product, Scalar(-0.5));
  double own_error = static_cast<double>(std::fabs(lost));
  if (!product_exact_) own_error += 2 * static_cast<double>(kUnit * std::fabs(product));
  return {product, position, own_error};
}

template <typename Scalar>
double AxisLocator<Scalar>::fused_shift(const Exact& exact) const {
  const double product = rounding_error(exact.product, 0, rounding_);
  return product + rounding_error(exact.position, product + exact.own_error, rounding_);
}

template <typename Scalar>
double AxisLocator<Scalar>::grid_sample_shift(const Exact& exact, Scalar location) const {
  const Sum<Scalar> g = two_sum(2 * location, Scalar(-1));
  const double lost = std::fabs(static_cast<double>(g.lost));
  // Where g is a number of the dtype but for what the oracle lost, the subject rounds to it.
  const double grid = representable(g.value, rounding_) ? lost : rounding_error(g.value, lost, rounding_);
  const double lifted = grid + rounding_error(2 * location, grid, rounding_);
  const double scaled = lifted * width_ / 2 + rounding_error(exact.product, lifted * width_ / 2, rounding_);
  return scaled + rounding_error(exact.position, scaled + exact.own_error, rounding_);
}

/// The sums that some formula rounds, of a map whose products do not.
template <typename Scalar>
bool AxisLocator<Scalar>::every_sum_is_exact(const Exact& exact, Scalar location) const {
  return representable(exact.position, rounding_) &&
         representable(two_sum(2 * location, Scalar(-1)), rounding_) &&
         representable(two_sum(exact.product, Scalar(0.5)), rounding_) &&
         representable(two_sum(exact.product, Scalar(1)), rounding_) &&
         representable(two_sum(exact.position, -extent_ / 2), rounding_);
}

template <typename Scalar>
double AxisLocator<Scalar>::envelope_shift(const Exact& exact, Scalar location) const {
  if (dyadic_ && exact.own_error == 0 && every_sum_is_exact(exact, location)) return 0;
  const double loc = static_cast<double>(location);
  const double from_edge = width_ * std::fabs(loc), from_middle = width_ * std::fabs(loc - 0.5);
  const double through_pixel = std::fabs(static_cast<double>(exact.position)) + 0.5 + 2 * from_middle +
                               std::max(2 * from_edge, from_middle);
  const double terms = std::max(through_pixel, 3 * from_edge + 1);
  return rounding_.unit * terms * (1 + 8 * rounding_.unit);
}

template <typename Scalar>
double AxisLocator<Scalar>::shift_of(const Exact& exact, Scalar location) const {
  double shift = 0;
  switch (coordinates_) {
    case Coordinates::kFused:
      shift = fused_shift(exact);
      break;
    case Coordinates::kGridSample:
      shift = std::max(grid_sample_shift(exact, location), fused_shift(exact));
      break;
    case Coordinates::kAny:
      shift = envelope_shift(exact, location);
      break;
  }
  shift += exact.own_error;
  const double magnitude = std::fabs(static_cast<double>(location));
  if (magnitude != 0 && magnitude < 4 * rounding_.tiny) shift += 2 * rounding_.underflow * width_;
  if (side_is_inexact_) shift += 2 * rounding_.unit * magnitude * width_;
  // Left of the first pixel the fraction is x + 1, which rounds: by at most u/2, being at most 1.
  if (exact.position < 0 && !(shift == 0 && representable(two_sum(exact.position, Scalar(1)), rounding_))) {
    shift += rounding_.unit / 2;
  }
  return shift * (1 + 0x1p-40);
}

template <typename Scalar>
void AxisLocator<Scalar>::locate(Scalar location, AxisSample<Scalar>& sample) const {
  const Exact exact = evaluate(location);
  const Scalar position = exact.position;
  sample.position = position;
  sample.shift = 0;
  sample.first = 0;
  sample.last = -1;
  if (std::fabs(static_cast<double>(location)) > largest_location_) return;
  sample.shift = shift_of(exact, location);
  const Scalar low = position - static_cast<Scalar>(sample.shift);
  const Scalar high = position + static_cast<Scalar>(sample.shift);
  if (high <= -1 || low >= extent_) return;
  sample.cell = floor_index(std::clamp(position, Scalar(-2), extent_));
  sample.first = floor_index(std::max(low, Scalar(-1)));
  sample.last = std::min(floor_index(std::min(high, extent_)), side_ - 1);
  sample.surely_inside = low > -1 && high < extent_;
}

template class AxisLocator<double>;
template class AxisLocator<long double>;

}  // namespace deformdiff::ms_deform_attn
