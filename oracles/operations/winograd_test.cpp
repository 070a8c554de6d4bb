// Winograd's convolutions, with the matrices that Lavin and Gray (2016) and wincnn print: covered where they
// are declared, found where they are not.
#include "oracles/operations/cases_test.h"

namespace deformdiff::operation {
namespace {

using Matrix = std::vector<std::vector<double>>;

struct Variant {
  Convolutions how;
  std::int64_t results;
  Matrix input, weight, output;  ///< B^T, G, A^T
};

std::vector<Variant> variants() {
  const double h = 1. / 2, q = 1. / 4, s = 1. / 6, n = 2. / 9, f = 1. / 45;
  return {{Convolutions::kWinograd2,
           2,
           {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
           {{1, 0, 0}, {h, h, h}, {h, -h, h}, {0, 0, 1}},
           {{1, 1, 1, 0}, {0, 1, -1, -1}}},
          {Convolutions::kWinograd4,
           4,
           {{4, 0, -5, 0, 1, 0},
            {0, -4, -4, 1, 1, 0},
            {0, 4, -4, -1, 1, 0},
            {0, -2, -1, 2, 1, 0},
            {0, 2, -1, -2, 1, 0},
            {0, 4, 0, -5, 0, 1}},
           {{q, 0, 0}, {-s, -s, -s}, {-s, s, -s}, {s / 4, s / 2, s}, {s / 4, -s / 2, s}, {0, 0, 1}},
           {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}}},
          {Convolutions::kWinograd6,
           6,
           {{1, 0, -5.25, 0, 5.25, 0, -1, 0},
            {0, 1, 1, -4.25, -4.25, 1, 1, 0},
            {0, -1, 1, 4.25, -4.25, -1, 1, 0},
            {0, h, q, -2.5, -1.25, 2, 1, 0},
            {0, -h, q, 2.5, -1.25, -2, 1, 0},
            {0, 2, 4, -2.5, -5, h, 1, 0},
            {0, -2, 4, 2.5, -5, -h, 1, 0},
            {0, -1, 0, 5.25, 0, -5.25, 0, 1}},
           {{1, 0, 0},
            {-n, -n, -n},
            {-n, n, -n},
            {f / 2, f, 2 * f},
            {f / 2, -f, 2 * f},
            {32 * f, 16 * f, 8 * f},
            {32 * f, -16 * f, 8 * f},
            {0, 0, 1}},
           {{1, 1, 1, 1, 1, 1, 1, 0},
            {0, 1, -1, 2, -2, h, -h, 0},
            {0, 1, 1, 4, 4, q, q, 0},
            {0, 1, -1, 8, -8, q / 2, -q / 2, 0},
            {0, 1, 1, 16, 16, q / 4, q / 4, 0},
            {0, 1, -1, 32, -32, q / 8, -q / 8, 1}}}};
}

/// M x M^T in T, row by row.
template <typename T>
std::vector<T> both_sides(const Matrix& matrix, const std::vector<T>& x) {
  const std::size_t rows = matrix.size(), side = matrix.front().size();
  std::vector<T> half(rows * side), whole(rows * rows);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < side; ++j) {
      for (std::size_t k = 0; k < side; ++k)
        half[i * side + j] += static_cast<T>(matrix[i][k]) * x[k * side + j];
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < rows; ++j) {
      for (std::size_t k = 0; k < side; ++k)
        whole[i * rows + j] += half[i * side + k] * static_cast<T>(matrix[j][k]);
    }
  }
  return whole;
}

/// Of one image, padded by 1.
struct Problem {
  std::int64_t inputs, outputs, height, width;
  std::vector<float> x, weight, bias;

  std::vector<NamedTensor> tensors() const {
    return {named("x", {1, inputs, height, width}, x), named("weight", {outputs, inputs, 3, 3}, weight),
            named("bias", {outputs}, bias)};
  }
};

Problem problem(Dice& dice, std::int64_t most_inputs, double low) {
  Problem p{
      dice.between(1, most_inputs), dice.between(1, 3), dice.between(1, 15), dice.between(1, 15), {}, {}, {}};
  p.x = dice.uniforms<float>(p.inputs * p.height * p.width, low, 2);
  p.weight = dice.uniforms<float>(p.outputs * p.inputs * 9, low, 1);
  p.bias = dice.uniforms<float>(p.outputs, -1, 1);
  return p;
}

template <typename T>
std::vector<T> convolved(const Variant& v, const Problem& p) {
  const std::int64_t m = v.results, n = m + 2;
  std::vector<T> out(static_cast<std::size_t>(p.outputs * p.height * p.width));
  for (std::int64_t channel = 0; channel < p.outputs; ++channel) {
    for (std::int64_t top = 0; top < p.height; top += m) {
      for (std::int64_t left = 0; left < p.width; left += m) {
        std::vector<T> sums(static_cast<std::size_t>(n * n));
        for (std::int64_t input = 0; input < p.inputs; ++input) {
          std::vector<T> pixels(static_cast<std::size_t>(n * n));
          for (std::int64_t i = 0; i < n * n; ++i) {
            const std::int64_t row = top + i / n - 1, column = left + i % n - 1;
            if (row < 0 || row >= p.height || column < 0 || column >= p.width) continue;
            pixels[static_cast<std::size_t>(i)] =
                static_cast<T>(p.x[static_cast<std::size_t>((input * p.height + row) * p.width + column)]);
          }
          const auto taps = p.weight.begin() + (channel * p.inputs + input) * 9;
          const std::vector<T> w = both_sides(v.weight, std::vector<T>(taps, taps + 9));
          const std::vector<T> transformed = both_sides(v.input, pixels);
          for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += w[i] * transformed[i];
        }
        const std::vector<T> results = both_sides(v.output, sums);
        for (std::int64_t i = 0; i < m * m; ++i) {
          const std::int64_t row = top + i / m, column = left + i % m;
          if (row >= p.height || column >= p.width) continue;
          out[static_cast<std::size_t>((channel * p.height + row) * p.width + column)] =
              results[static_cast<std::size_t>(i)] +
              static_cast<T>(p.bias[static_cast<std::size_t>(channel)]);
        }
      }
    }
  }
  return out;
}

Precision declaring(Convolutions how) {
  Precision precision;
  precision.convolutions = how;
  return precision;
}

OutputReference reference_of(const Problem& p, Convolutions how) {
  return refer("conv2d", {{"padding", 1}}, p.tensors(), declaring(how));
}

/// The largest ratio over some problems.
double worst_ratio(const Variant& v, Convolutions declared, std::int64_t most_inputs, double low) {
  double largest = 0;
  Dice dice(23);
  for (int round = 0; round < 20; ++round) {
    const Problem p = problem(dice, most_inputs, low);
    largest = std::max(largest, worst(reference_of(p, declared), convolved<float>(v, p)));
  }
  return largest;
}

TEST(Winograd, IsCoveredWhereItIsDeclaredAndFoundWhereItIsNot) {
  for (const Variant& v : variants()) {
    const double of_both_signs = worst_ratio(v, v.how, 40, -2), of_one_sign = worst_ratio(v, v.how, 40, 1);
    fmt::print("  conv2d: F({0}x{0}, 3x3): {1:.3f}, of one sign {2:.3f}\n", v.results, of_both_signs,
               of_one_sign);
    EXPECT_LE(std::max(of_both_signs, of_one_sign), 1);
    EXPECT_GT(std::max(of_both_signs, of_one_sign), 0.002) << "a bound that says something";
    if (v.results > 2) EXPECT_GT(worst_ratio(v, Convolutions::kDirect, 2, -2), 1);
  }
}

TEST(Winograd, ThePrintedMatricesConvolve) {
  for (const Variant& v : variants()) {
    Dice dice(5);
    const Problem p = problem(dice, 3, -2);
    EXPECT_LE(worst(reference_of(p, Convolutions::kDirect), convolved<double>(v, p)), 1) << v.results;
  }
}

TEST(Winograd, SmallMistakesAreFoundUnderItsBound) {
  for (Variant v : variants()) {
    v.weight[1][1] *= 1.01;
    EXPECT_GT(worst_ratio(v, v.how, 8, -2), 10) << v.results;
  }
}

TEST(Winograd, ADirectConvolutionAgreesUnderEveryDeclaration) {
  for (const Variant& v : variants()) {
    Dice dice(7);
    const Problem p = problem(dice, 8, -2);
    const OutputReference direct = reference_of(p, Convolutions::kDirect), wide = reference_of(p, v.how);
    for (std::size_t i = 0; i < direct.bound.size(); ++i) EXPECT_GE(wide.bound[i], direct.bound[i]);
  }
}

TEST(Winograd, WhatIsNotFiniteSpreadsOverItsTileAlone) {
  Problem p{1, 1, 12, 12, std::vector<float>(144, 1), std::vector<float>(9, 1), {0}};
  p.x[0] = std::numeric_limits<float>::infinity();
  const OutputReference wide = reference_of(p, Convolutions::kWinograd4);
  const OutputReference direct = reference_of(p, Convolutions::kDirect);
  EXPECT_EQ(wide.admits[3 * 12 + 3], kAdmitsAnything);
  EXPECT_EQ(wide.admits[4 * 12 + 5], kAdmitsFinite);
  EXPECT_LT(wide.bound[8 * 12 + 8], 1e-3);
  EXPECT_EQ(direct.admits[3 * 12 + 3], kAdmitsFinite);
}

TEST(Winograd, IsOf3x3KernelsAlone) {
  const std::vector<NamedTensor> tensors{named("x", {1, 1, 5, 5}, std::vector<float>(25, 1.5F)),
                                         named("weight", {1, 1, 1, 1}, std::vector<float>{1.25F})};
  EXPECT_EQ(refer("conv2d", {{"padding", 0}}, tensors, declaring(Convolutions::kWinograd6)).bound,
            refer("conv2d", {{"padding", 0}}, tensors).bound);
}

}  // namespace
}  // namespace deformdiff::operation
