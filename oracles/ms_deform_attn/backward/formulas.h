// Help for the tests of the gradients' oracles: the ways in which correct code computes them, by hand and by
// differentiating each form of the forward. T as in the forward's formulas.
#pragma once

#include "oracles/ms_deform_attn/backward/test_cases.h"
#include "oracles/ms_deform_attn/formulas.h"

#include <utility>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// How the weights of the corners multiply the output's gradient.
enum class Scatter { kProduct, kChain, kTent, kExpanded, kMirrored, kNested, kNestedFar, kPolynomial, kLerp };
constexpr int kScatters = static_cast<int>(Scatter::kLerp) + 1;

/// How the slope of the sample is formed and summed over channels.
enum class Slopes {
  kKernel,         ///< each corner by its weight, channel after channel
  kGridSample,     ///< the same, times side / 2 and then 2
  kCorners,        ///< channels first
  kDifferences,    ///< of values first
  kExpanded,       ///< derivative of the expanded weights, channels first
  kMirrored,       ///< the same from the far side
  kPolynomial,     ///< derivative of the polynomial, each monomial's channels apart
  kPolynomialFar,  ///< the same from the far side
  kNestedAlong,    ///< derivative of nested interpolation, along the axis first
  kNestedAcross,   ///< across it first
  kReciprocal      ///< each corner by its weight, divided by 1 / side
};
constexpr int kSlopes = static_cast<int>(Slopes::kReciprocal) + 1;

struct BackwardFormula {
  Position position;
  Scatter scatter;
  Slopes slopes;
  Interpolation interpolation;  ///< of the sample, for the weight's gradient
  Order order;
};

/// Of a * g, for the corners (x0,y0), (x1,y0), (x0,y1), (x1,y1).
template <typename T>
std::array<T, 4> scattered(Scatter how, T a, T g, T fx, T fy) {
  const T gx = 1 - fx, gy = 1 - fy, both = fx * fy, mirrored = gx * gy, all = a * g;
  switch (how) {
    case Scatter::kProduct:
      return {(gx * gy) * all, (fx * gy) * all, (gx * fy) * all, (fx * fy) * all};
    case Scatter::kChain:
      return {a * gx * gy * g, a * fx * gy * g, a * gx * fy * g, a * fx * fy * g};
    case Scatter::kTent:
      return {(gx * gy) * all, ((1 - gx) * gy) * all, (gx * (1 - gy)) * all, ((1 - gx) * (1 - gy)) * all};
    case Scatter::kExpanded:
      return {(1 - fx - fy + both) * all, (fx - both) * all, (fy - both) * all, both * all};
    case Scatter::kMirrored:
      return {mirrored * all, (gy - mirrored) * all, (gx - mirrored) * all, (1 - gx - gy + mirrored) * all};
    case Scatter::kNested: {
      const T lower = fy * all, upper = all - lower, upper_right = fx * upper, lower_right = fx * lower;
      return {upper - upper_right, upper_right, lower - lower_right, lower_right};
    }
    case Scatter::kNestedFar: {
      const T upper = gy * all, lower = all - upper, upper_left = gx * upper, lower_left = gx * lower;
      return {upper_left, upper - upper_left, lower_left, lower - lower_left};
    }
    case Scatter::kPolynomial: {
      const T in_x = fx * all, in_y = fy * all, in_both = both * all;
      return {((all - in_x) - in_y) + in_both, in_x - in_both, in_y - in_both, in_both};
    }
    case Scatter::kLerp:
      return {gx * (gy * all), fx * (gy * all), gx * (fy * all), fx * (fy * all)};
  }
  return {};
}

/// Derivative of the sample in x, times a and summed over channels with g; v[d] are corners as above. In y it
/// is asked with corners 1 and 2 exchanged.
template <typename T>
T slope_of(Slopes how, Order order, T a, const std::vector<T>& g, const std::vector<std::array<T, 4>>& v, T f,
           T side) {
  const T near = 1 - f;
  // From the far side what cancels rounds even on a pixel, where nothing needs to: not covered (README).
  if (f == 0 && how == Slopes::kMirrored) how = Slopes::kExpanded;
  if (f == 0 && how == Slopes::kPolynomialFar) how = Slopes::kPolynomial;
  std::vector<T> terms;
  const auto sum_over = [&](const auto& term) {
    std::vector<T> channels;
    for (std::size_t d = 0; d < g.size(); ++d) channels.push_back(term(a * g[d], v[d]));
    return sum_of_terms(order, channels);
  };
  using Corners = std::array<T, 4>;
  switch (how) {
    case Slopes::kKernel:
      return side * sum_over([&](T all, const Corners& c) {
               return (((-near * c[0]) + near * c[1]) - f * c[2] + f * c[3]) * all;
             });
    case Slopes::kReciprocal:
      return sum_over([&](T all, const Corners& c) {
               return ((near * (c[1] - c[0])) + f * (c[3] - c[2])) * all;
             }) /
             (1 / side);
    case Slopes::kGridSample:
      for (std::size_t d = 0; d < g.size(); ++d) {
        const T all = a * g[d];
        for (const T term :
             {-(v[d][0] * near * all), v[d][1] * near * all, -(v[d][2] * f * all), v[d][3] * f * all})
          terms.push_back(term);
      }
      return 2 * (side / 2 * sum_of_terms(order, terms));
    case Slopes::kDifferences:
      return sum_over(
          [&](T all, const Corners& c) { return (near * (c[1] - c[0]) + f * (c[3] - c[2])) * (all * side); });
    case Slopes::kNestedAlong:
      for (std::size_t d = 0; d < g.size(); ++d) {
        const T all = a * g[d], lower = f * all;
        terms.push_back((all - lower) * (v[d][1] - v[d][0]));
        terms.push_back(lower * (v[d][3] - v[d][2]));
      }
      return side * sum_of_terms(order, terms);
    case Slopes::kNestedAcross:
      return side * sum_over([&](T all, const Corners& c) {
               return all * ((c[1] + f * (c[3] - c[1])) - (c[0] + f * (c[2] - c[0])));
             });
    case Slopes::kPolynomial:
      return side *
             (sum_over([](T all, const Corners& c) { return all * (c[1] - c[0]); }) +
              f * sum_over([](T all, const Corners& c) { return all * (((c[0] - c[1]) - c[2]) + c[3]); }));
    case Slopes::kPolynomialFar:
      return side *
             (sum_over([](T all, const Corners& c) { return all * (c[3] - c[2]); }) +
              near * sum_over([](T all, const Corners& c) { return all * ((c[1] - c[0]) - c[3] + c[2]); }));
    default:
      break;
  }
  std::array<T, 4> z;
  for (std::size_t c = 0; c < 4; ++c) z[c] = sum_over([&](T all, const Corners& at) { return all * at[c]; });
  if (how == Slopes::kExpanded) return side * ((z[1] - z[0]) + f * (((z[0] - z[1]) - z[2]) + z[3]));
  if (how == Slopes::kMirrored) return side * ((z[3] - z[2]) + near * (((z[1] - z[0]) - z[3]) + z[2]));
  return (near * (z[1] - z[0]) + f * (z[3] - z[2])) * side;
}

template <typename T, typename Stored>
std::array<T, 4> corners_of(const BackwardCase<Stored>& c, std::int64_t n, std::int64_t m, const Level& level,
                            std::int64_t x0, std::int64_t y0, std::int64_t d) {
  std::array<T, 4> corners{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::int64_t x = x0 + static_cast<std::int64_t>(i & 1), y = y0 + static_cast<std::int64_t>(i >> 1);
    if (x >= 0 && y >= 0 && x < level.width && y < level.height)
      corners[i] = static_cast<T>(c.get(n, level.start + y * level.width + x, m, d));
  }
  return corners;
}

/// All gradients by one formula.
template <typename T, typename Stored>
Gradients<T> evaluate_backward(const BackwardCase<Stored>& c, const BackwardFormula& formula) {
  const Dims& k = c.dims;
  std::vector<std::vector<T>> scatters(static_cast<std::size_t>(k.N * k.S * k.M * k.D));
  Gradients<T> result;
  for (std::size_t i = 0; i < c.weights.size(); ++i) {
    const auto point = static_cast<std::int64_t>(i), group = point / (k.L * k.P);
    const std::int64_t n = group / (k.Q * k.M), m = group % k.M;
    const Level& level = c.levels[static_cast<std::size_t>(point / k.P % k.L)];
    const auto x = axis_cell<T>(formula.position, static_cast<T>(c.locations[2 * i]), level.width);
    const auto y = axis_cell<T>(formula.position, static_cast<T>(c.locations[2 * i + 1]), level.height);
    if (!x.valid || !y.valid) {
      result.location.insert(result.location.end(), 2, T(0));
      result.weight.push_back(0);
      continue;
    }
    const T a = static_cast<T>(c.weights[i]);
    std::vector<T> gradient, samples;
    std::vector<std::array<T, 4>> values, exchanged;
    for (std::int64_t d = 0; d < k.D; ++d) {
      const T g = static_cast<T>(c.gradient[static_cast<std::size_t>(group * k.D + d)]);
      const auto v = corners_of<T>(c, n, m, level, x.cell, y.cell, d);
      const T plain[4] = {v[0], v[1], v[2], v[3]};
      append_terms(formula.interpolation, g, x.fraction, y.fraction, plain, samples);
      gradient.push_back(g);
      values.push_back(v);
      exchanged.push_back({v[0], v[2], v[1], v[3]});
      const auto shares = scattered(formula.scatter, a, g, x.fraction, y.fraction);
      for (std::size_t corner = 0; corner < 4; ++corner) {
        const std::int64_t px = x.cell + static_cast<std::int64_t>(corner & 1),
                           py = y.cell + static_cast<std::int64_t>(corner >> 1);
        if (px < 0 || py < 0 || px >= level.width || py >= level.height) continue;
        const std::int64_t row = level.start + py * level.width + px;
        scatters[static_cast<std::size_t>(((n * k.S + row) * k.M + m) * k.D + d)].push_back(shares[corner]);
      }
    }
    const T width = static_cast<T>(level.width), height = static_cast<T>(level.height);
    result.location.push_back(
        slope_of(formula.slopes, formula.order, a, gradient, values, y.fraction, width));
    result.location.push_back(
        slope_of(formula.slopes, formula.order, a, gradient, exchanged, x.fraction, height));
    result.weight.push_back(sum_of_terms(formula.order, samples));
  }
  for (const std::vector<T>& terms : scatters) result.value.push_back(sum_of_terms(formula.order, terms));
  return result;
}

}  // namespace deformdiff::ms_deform_attn
