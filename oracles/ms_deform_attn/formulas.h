// Help for the oracle's tests: the ways in which correct code evaluates the definition in its own precision.
// T is float or double for a subject's arithmetic, __float128 for an evaluation to check the oracle by.
#pragma once

#include "oracles/arithmetic/wide.h"
#include "oracles/ms_deform_attn/test_cases.h"

#include <cmath>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// The one-based ones number pixels from 1, as a map with a border of zeros around it does.
enum class Position {
  kFused,
  kFusedFma,
  kWide,
  kGrid,
  kGridHalf,
  kGridFma,
  kAffine,
  kShifted,
  kShiftedGrid,
  kReciprocal,
  kShiftedReciprocal,
  kGridReciprocal,
  kHalfUp,
  kHalfUpFma,
  kDoubled,
  kSplit,
  kLastPixel,
  kLastPixelFma,
  kCentred,
  kCentredHalf,
  kCentredReciprocal,
  kGridSum,
  kGridCentred,
  kOneBased,
  kOneBasedFused,
  kOneBasedPadded,
  kOneBasedReciprocal,
  kOneBasedGrid
};
constexpr int kPositions = static_cast<int>(Position::kOneBasedGrid) + 1;
constexpr bool is_one_based(Position how) {
  return how >= Position::kOneBased;
}

enum class Interpolation {
  kProduct,
  kProductWeightFirst,
  kTent,
  kExpanded,
  kExpandedSum,
  kMirrored,
  kNestedX,
  kNestedY,
  kLerp,
  kNestedFma,
  kPolynomial,
  kPolynomialAnyOrder,
  kRows
};
constexpr int kInterpolations = static_cast<int>(Interpolation::kRows) + 1;
enum class Order { kForward, kReversed, kPairwise, kFma, kWideSum };

struct Formula {
  Position position;
  Interpolation interpolation;
  Order order;
};

template <typename T>
T floor_of(T t) {
  T whole = static_cast<T>(static_cast<long long>(t));
  return whole > t ? whole - 1 : whole;
}

/// a * b + c in one rounding, where T has it.
template <typename T>
T fused(T a, T b, T c) {
  if constexpr (sizeof(T) <= 8) {
    return std::fma(a, b, c);
  } else {
    return a * b + c;
  }
}

/// Pixel coordinate as T, one more where pixels are counted from 1.
template <typename T>
T pixel_position(Position how, T loc, std::int64_t side) {
  const T width = static_cast<T>(side), half = T(0.5), one = T(1);
  const T grid = 2 * loc - one, inverse = one / width;
  switch (how) {
    case Position::kFused:
    case Position::kWide:
    case Position::kSplit:
      return loc * width - half;
    case Position::kFusedFma:
      return fused(loc, width, -half);
    case Position::kGrid:
      return (grid + one) * (width / 2) - half;
    case Position::kGridHalf:
      return ((grid + one) * width - one) / 2;
    case Position::kGridFma:
      return fused(grid + one, width / 2, -half);
    case Position::kAffine:
      return (grid * width + (width - one)) / 2;
    case Position::kShifted:
      return (loc - half / width) * width;
    case Position::kShiftedGrid:
      return (grid + (one - inverse)) * (width / 2);
    case Position::kReciprocal:
      return loc / inverse - half;
    case Position::kShiftedReciprocal:
      return (loc - half * inverse) / inverse;
    case Position::kGridReciprocal:
      return grid / (2 * inverse) + (width - one) / 2;
    case Position::kHalfUp:
      return (loc * width + half) - one;
    case Position::kHalfUpFma:
      return fused(loc, width, half) - one;
    case Position::kDoubled:
      return (2 * loc * width - one) / 2;
    case Position::kLastPixel:
      return (loc * (width - one) + loc) - half;
    case Position::kLastPixelFma:
      return fused(loc, width - one, loc) - half;
    case Position::kCentred:
      return (loc - half) * width + (width - one) / 2;
    case Position::kCentredHalf:
      return ((loc - half) * width - half) + width / 2;
    case Position::kCentredReciprocal:
      return (loc - half) / inverse + (width - one) / 2;
    case Position::kGridSum:
      return (grid * width + width - one) / 2;
    case Position::kGridCentred:
      return (grid * (width / 2) - half) + width / 2;
    case Position::kOneBased:
      return loc * width + half;
    case Position::kOneBasedFused:
      return (loc * width - half) + one;
    case Position::kOneBasedPadded:
      return (loc * width + one) - half;
    case Position::kOneBasedReciprocal:
      return loc / inverse + half;
    case Position::kOneBasedGrid:
      return ((grid + one) * width + one) / 2;
  }
  return 0;
}

/// Cell and fraction of one axis; valid is false outside the map.
template <typename T>
struct AxisCell {
  bool valid = false;
  std::int64_t cell = 0;
  T fraction = 0;
};

/// The half pixel comes off after the floor.
template <typename T>
AxisCell<T> split_cell(T loc, std::int64_t side) {
  const T half = T(0.5), product = loc * static_cast<T>(side);
  if (!(product > -half && product < static_cast<T>(side) + half)) return {};
  const T low = floor_of(product), rest = product - low;
  const auto cell = static_cast<std::int64_t>(low);
  return rest >= half ? AxisCell<T>{true, cell, rest - half} : AxisCell<T>{true, cell - 1, rest + half};
}

template <typename T>
AxisCell<T> axis_cell(Position how, T loc, std::int64_t side) {
  if (how == Position::kWide && sizeof(T) <= 8) {
    const AxisCell<Wide<T>> wide = axis_cell<Wide<T>>(Position::kFused, loc, side);
    return {wide.valid, wide.cell, static_cast<T>(wide.fraction)};
  }
  if (how == Position::kSplit) return split_cell(loc, side);
  const int first = is_one_based(how) ? 1 : 0;
  const T position = pixel_position(how, loc, side);
  if (!(position > T(first - 1) && position < static_cast<T>(side + first))) return {};
  const T low = floor_of(position);
  return {true, static_cast<std::int64_t>(low) - first, position - low};
}

/// The terms that one sampling point contributes to the outer sum.
template <typename T>
void append_terms(Interpolation how, T a, T fx, T fy, const T (&v)[4], std::vector<T>& terms) {
  const T gx = 1 - fx, gy = 1 - fy;
  const auto flat = [&](T w00, T w01, T w10, T w11) {
    for (const T term : {a * (w00 * v[0]), a * (w01 * v[1]), a * (w10 * v[2]), a * (w11 * v[3])})
      terms.push_back(term);
  };
  const auto lerp = [](T p, T q, T f) { return p + f * (q - p); };
  const T both = fx * fy, mirrored = gx * gy;
  switch (how) {
    case Interpolation::kProduct:
      return flat(gx * gy, fx * gy, gx * fy, fx * fy);
    case Interpolation::kProductWeightFirst:
      for (const T term : {a * gx * gy * v[0], a * fx * gy * v[1], a * gx * fy * v[2], a * fx * fy * v[3]})
        terms.push_back(term);
      return;
    case Interpolation::kTent:  // 1 - |x - pixel|
      return flat(gx * gy, (1 - gx) * gy, gx * (1 - gy), (1 - gx) * (1 - gy));
    case Interpolation::kExpanded:
      return flat(1 - fx - fy + both, fx - both, fy - both, both);
    case Interpolation::kExpandedSum:
      return flat(1 - (fx + fy - both), fx - both, fy - both, both);
    case Interpolation::kMirrored:
      return flat(mirrored, gy - mirrored, gx - mirrored, 1 - gx - gy + mirrored);
    case Interpolation::kNestedX:
      return terms.push_back(a * lerp(lerp(v[0], v[1], fx), lerp(v[2], v[3], fx), fy));
    case Interpolation::kNestedY:
      return terms.push_back(lerp(lerp(a * v[0], a * v[2], fy), lerp(a * v[1], a * v[3], fy), fx));
    case Interpolation::kLerp:
      return terms.push_back(a * (gy * (gx * v[0] + fx * v[1]) + fy * (gx * v[2] + fx * v[3])));
    case Interpolation::kNestedFma:
      if constexpr (sizeof(T) <= 8) {
        const auto fused = [](T p, T q, T f) { return std::fma(f, q, std::fma(-f, p, p)); };
        return terms.push_back(a * fused(fused(v[0], v[1], fx), fused(v[2], v[3], fx), fy));
      }
      [[fallthrough]];
    case Interpolation::kPolynomial:
      return terms.push_back(
          a * (v[0] + fx * (v[1] - v[0]) + fy * (v[2] - v[0]) + both * (v[0] - v[1] - v[2] + v[3])));
    case Interpolation::kPolynomialAnyOrder:
      return terms.push_back(
          (both * a * ((v[3] - v[2]) + (v[0] - v[1])) + (a * fx * (v[1] - v[0]) + a * fy * (v[2] - v[0]))) +
          a * v[0]);
    case Interpolation::kRows:
      terms.push_back(a * gy * lerp(v[0], v[1], fx));
      terms.push_back(a * fy * lerp(v[2], v[3], fx));
      return;
  }
}

template <typename T>
T sum_of_terms(Order order, const std::vector<T>& terms) {
  const std::size_t n = terms.size();
  if (order == Order::kPairwise) {
    std::vector<T> sums = terms;
    while (sums.size() > 1) {
      std::vector<T> next;
      for (std::size_t i = 0; i + 1 < sums.size(); i += 2) next.push_back(sums[i] + sums[i + 1]);
      if (sums.size() % 2 != 0) next.push_back(sums.back());
      sums = next;
    }
    return sums.empty() ? T(0) : sums[0];
  }
  if (order == Order::kWideSum) {
    Wide<T> sum = 0;
    for (const T term : terms) sum += static_cast<Wide<T>>(term);
    return static_cast<T>(sum);
  }
  T sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += order == Order::kReversed ? terms[n - 1 - i] : terms[i];
  return sum;
}

/// Output [N, Q, M*D] by one formula. T may be wider than the case's own type.
template <typename T, typename Stored>
std::vector<T> evaluate_formula(const PlainCase<Stored>& c, const Formula& formula) {
  const Dims& k = c.dims;
  std::vector<T> output, terms;
  for (std::int64_t row = 0; row < k.N * k.Q * k.M; ++row) {
    const std::int64_t n = row / (k.Q * k.M), m = row % k.M;
    for (std::int64_t d = 0; d < k.D; ++d) {
      terms.clear();
      T running = 0;
      for (std::int64_t i = 0; i < k.L * k.P; ++i) {
        const auto at = static_cast<std::size_t>(row * k.L * k.P + i);
        const Level& level = c.levels[static_cast<std::size_t>(i / k.P)];
        const AxisCell<T> x =
            axis_cell<T>(formula.position, static_cast<T>(c.locations[2 * at]), level.width);
        const AxisCell<T> y =
            axis_cell<T>(formula.position, static_cast<T>(c.locations[2 * at + 1]), level.height);
        if (!x.valid || !y.valid) continue;
        T corners[4];
        for (int corner = 0; corner < 4; ++corner) {
          const std::int64_t px = x.cell + (corner & 1), py = y.cell + (corner >> 1);
          const bool inside = px >= 0 && py >= 0 && px < level.width && py < level.height;
          corners[corner] =
              inside ? static_cast<T>(c.get(n, level.start + py * level.width + px, m, d)) : T(0);
        }
        const T a = static_cast<T>(c.weights[at]);
        append_terms(formula.interpolation, a, x.fraction, y.fraction, corners, terms);
        if constexpr (sizeof(T) <= 8) {
          const T gx = 1 - x.fraction, gy = 1 - y.fraction;
          const T weights[4] = {gx * gy, x.fraction * gy, gx * y.fraction, x.fraction * y.fraction};
          for (int corner = 0; corner < 4; ++corner)
            running = std::fma(a * weights[corner], corners[corner], running);
        }
      }
      output.push_back(formula.order == Order::kFma && sizeof(T) <= 8 ? running
                                                                      : sum_of_terms(formula.order, terms));
    }
  }
  return output;
}

}  // namespace deformdiff::ms_deform_attn
