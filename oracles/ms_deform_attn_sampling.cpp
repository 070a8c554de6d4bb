#include "oracles/ms_deform_attn_sampling.h"

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
  if (rounding.precision == std::numeric_limits<float>::digits)
    return static_cast<Scalar>(static_cast<float>(t)) == t;
  return static_cast<Scalar>(static_cast<double>(t)) == t;
}

template <typename Scalar>
struct Exact {
  Scalar product;    ///< loc * side
  Scalar position;   ///< loc * side - 1/2
  double own_error;  ///< what the oracle itself loses in `position`
};

template <typename Scalar>
Exact<Scalar> evaluate(Scalar location, Scalar side, const Rounding& rounding) {
  constexpr Scalar kUnit = std::numeric_limits<Scalar>::epsilon() / 2;
  const Scalar product = location * side;
  const Scalar position = product - Scalar(0.5);
  // The rounding error of the subtraction, exactly (Knuth's TwoSum; Higham 4.3).
  const Scalar back = position - product;
  const Scalar lost = (product - (position - back)) + (Scalar(-0.5) - back);
  double own_error = static_cast<double>(std::fabs(lost));
  // The product of p bits and the bits of `side` is exact if both fit into the significand.
  const int side_bits = std::bit_width(static_cast<std::uint64_t>(side));
  if (rounding.precision + side_bits > std::numeric_limits<Scalar>::digits) {
    own_error += 2 * static_cast<double>(kUnit * std::fabs(product));
  }
  return {product, position, own_error};
}

/// An error that is made only if what went before, or the result, is inexact.
template <typename Scalar>
double rounding_error(Scalar exact_result, double error_before, const Rounding& rounding) {
  if (error_before == 0 && representable(exact_result, rounding)) return 0;
  return rounding.unit *
         first_place(std::fabs(static_cast<double>(exact_result)) * (1 + 0x1p-50) + error_before);
}

template <typename Scalar>
double fused_shift(const Exact<Scalar>& exact, const Rounding& rounding) {
  const double product = rounding_error(exact.product, 0, rounding);
  return product + rounding_error(exact.position, product + exact.own_error, rounding);
}

template <typename Scalar>
double grid_sample_shift(const Exact<Scalar>& exact, Scalar location, double side, const Rounding& rounding) {
  const double grid = rounding_error(2 * location - 1, 0, rounding);
  const double lifted = grid + rounding_error(2 * location, grid, rounding);
  const double scaled = lifted * side / 2 + rounding_error(exact.product, lifted * side / 2, rounding);
  return scaled + rounding_error(exact.position, scaled + exact.own_error, rounding);
}

template <typename Scalar>
double envelope_shift(const Exact<Scalar>& exact, Scalar location, double side, const Rounding& rounding) {
  const bool dyadic_side = std::has_single_bit(static_cast<std::uint64_t>(side));
  if (dyadic_side && exact.own_error == 0 && representable(exact.position, rounding) &&
      representable(2 * location - 1, rounding)) {
    return 0;
  }
  const double loc = static_cast<double>(location);
  const double terms = 2 * side * std::fabs(loc - 0.5) + 2 * side * std::fabs(loc) +
                       std::fabs(static_cast<double>(exact.position)) + 0.5;
  return rounding.unit * terms * (1 + 8 * rounding.unit);
}

/// floor(t) without a library call; |t| is far below 2^63.
template <typename Scalar>
std::int64_t floor_index(Scalar t) {
  const auto truncated = static_cast<std::int64_t>(t);
  return truncated - (t < static_cast<Scalar>(truncated) ? 1 : 0);
}

}  // namespace

template <typename Scalar>
AxisSample<Scalar> locate(Scalar location, std::int64_t side, Coordinates coordinates,
                          const Rounding& rounding) {
  const auto extent = static_cast<Scalar>(side);
  const double width = static_cast<double>(side);
  const Exact<Scalar> exact = evaluate(location, extent, rounding);
  AxisSample<Scalar> sample;
  sample.position = exact.position;
  if (coordinate_may_overflow(static_cast<double>(location), side, rounding)) return sample;
  switch (coordinates) {
    case Coordinates::kFused:
      sample.shift = fused_shift(exact, rounding);
      break;
    case Coordinates::kGridSample:
      sample.shift =
          std::max(grid_sample_shift(exact, location, width, rounding), fused_shift(exact, rounding));
      break;
    case Coordinates::kAny:
      sample.shift = envelope_shift(exact, location, width, rounding);
      break;
  }
  sample.shift += exact.own_error;
  const double magnitude = std::fabs(static_cast<double>(location));
  if (magnitude != 0 && magnitude < 4 * rounding.tiny) sample.shift += 2 * rounding.underflow * width;
  if (side >= std::int64_t{1} << rounding.precision) sample.shift += 2 * rounding.unit * magnitude * width;
  // Left of the first pixel the fraction is x + 1, which rounds: by at most u/2, being at most 1.
  const bool exact_fraction = sample.shift == 0 && representable(sample.position + 1, rounding);
  if (sample.position < 0 && !exact_fraction) sample.shift += rounding.unit / 2;
  sample.shift *= 1 + 0x1p-40;

  const Scalar low = sample.position - static_cast<Scalar>(sample.shift);
  const Scalar high = sample.position + static_cast<Scalar>(sample.shift);
  if (high <= -1 || low >= extent) return sample;
  sample.cell = floor_index(std::clamp(sample.position, Scalar(-2), extent));
  sample.first = floor_index(std::max(low, Scalar(-1)));
  sample.last = std::min(floor_index(std::min(high, extent)), side - 1);
  sample.surely_inside = low > -1 && high < extent;
  return sample;
}

template AxisSample<double> locate(double, std::int64_t, Coordinates, const Rounding&);
template AxisSample<long double> locate(long double, std::int64_t, Coordinates, const Rounding&);

}  // namespace deformdiff::ms_deform_attn
