#include "oracles/operations/winograd.h"

#include "oracles/arithmetic/parallel.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace deformdiff::operation {
namespace {

using Matrix = std::vector<std::vector<double>>;

constexpr std::int64_t kTaps = 3;

/// Side of a tile's results.
std::int64_t results_of(Convolutions how) {
  return how == Convolutions::kWinograd2 ? 2 : how == Convolutions::kWinograd4 ? 4 : 6;
}

/// The finite points that everybody takes.
std::vector<double> points_of(Convolutions how) {
  std::vector<double> points{0, 1, -1};
  if (how != Convolutions::kWinograd2) points.insert(points.end(), {2, -2});
  if (how == Convolutions::kWinograd6) points.insert(points.end(), {0.5, -0.5});
  return points;
}

/// Coefficients of the product of (t - p) over all points but number `without`, the constant first.
std::vector<double> product_of_roots(const std::vector<double>& points, std::size_t without) {
  std::vector<double> coefficients{1};
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == without) continue;
    coefficients.push_back(0);
    for (std::size_t k = coefficients.size() - 1; k > 0; --k) {
      coefficients[k] = coefficients[k - 1] - points[i] * coefficients[k];
    }
    coefficients[0] *= -points[i];
  }
  return coefficients;
}

/// Magnitudes of the entries of B^T [n, n], G [n, 3] and A^T [m, n], n = m + 2. Another scale of a row of G,
/// undone in B^T's, leaves all products as they are.
struct Transforms {
  Matrix input, weight, output;
};

Transforms transforms_of(Convolutions how) {
  const std::vector<double> points = points_of(how);
  const auto results = static_cast<std::size_t>(results_of(how));
  const std::size_t n = results + kTaps - 1;
  Transforms t{Matrix(n, std::vector<double>(n)), Matrix(n, std::vector<double>(kTaps)),
               Matrix(results, std::vector<double>(n))};
  for (std::size_t i = 0; i < points.size(); ++i) {
    double distance = 1;
    for (std::size_t k = 0; k < points.size(); ++k) distance *= k == i ? 1 : points[i] - points[k];
    const std::vector<double> row = product_of_roots(points, i);
    for (std::size_t k = 0; k < row.size(); ++k) t.input[i][k] = std::abs(row[k]);
    for (std::size_t k = 0; k < kTaps; ++k) {
      t.weight[i][k] = std::abs(std::pow(points[i], static_cast<double>(k)) / distance);
    }
    for (std::size_t k = 0; k < results; ++k) {
      t.output[k][i] = std::abs(std::pow(points[i], static_cast<double>(k)));
    }
  }
  const std::vector<double> last = product_of_roots(points, points.size());
  for (std::size_t k = 0; k < n; ++k) t.input[n - 1][k] = std::abs(last[k]);
  t.weight[n - 1][kTaps - 1] = 1;
  t.output[results - 1][n - 1] = 1;
  return t;
}

/// M x M^T of a square x, given and returned row by row.
std::vector<double> both_sides(const Matrix& matrix, const std::vector<double>& x) {
  const std::size_t rows = matrix.size(), side = matrix.front().size();
  std::vector<double> half(rows * side), whole(rows * rows);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < side; ++k) {
      if (matrix[i][k] == 0) continue;
      for (std::size_t j = 0; j < side; ++j) half[i * side + j] += matrix[i][k] * x[k * side + j];
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < rows; ++j) {
      for (std::size_t k = 0; k < side; ++k) {
        if (matrix[j][k] != 0) whole[i * rows + j] += half[i * side + k] * matrix[j][k];
      }
    }
  }
  return whole;
}

double largest_row_sum(const Matrix& matrix) {
  double largest = 0;
  for (const std::vector<double>& row : matrix) {
    double sum = 0;
    for (const double entry : row) sum += entry;
    largest = std::max(largest, sum);
  }
  return largest;
}

/// Numbers of a row of the matrix that are not 0, at most.
double terms_of(const Matrix& matrix) {
  std::ptrdiff_t most = 0;
  for (const std::vector<double>& row : matrix) {
    most = std::max(most, std::ranges::count_if(row, [](double entry) { return entry != 0; }));
  }
  return static_cast<double>(most);
}

/// Not finite anywhere: everything that the transform makes of it may be so too, and 0 inf is no number.
double magnitude_of(double x) {
  return std::isfinite(x) ? std::abs(x) : std::numeric_limits<double>::infinity();
}

double roundings_of(const Transforms& t, std::int64_t inputs) {
  // Along each axis of each transform a term is multiplied twice at most, by a factor that may be rounded,
  // and passes the additions of a row. Then its product, the channels' sum and a bias.
  double roundings = static_cast<double>(inputs) + 1;
  for (const Matrix* matrix : {&t.input, &t.weight, &t.output}) roundings += 2 * (2 + terms_of(*matrix));
  return roundings + 2;  // G's entries are no numbers of the type: once an axis
}

}  // namespace

template <typename T>
WinogradSums::WinogradSums(Convolutions how, const ConvolutionSizes& sizes, std::span<const T> x,
                           std::span<const T> weight, int threads)
    : outputs_(sizes.outputs),
      pixels_(sizes.out_height() * sizes.out_width()),
      magnitudes_(static_cast<std::size_t>(sizes.batch * outputs_ * pixels_)),
      underflows_(static_cast<std::size_t>(sizes.batch)) {
  const Transforms t = transforms_of(how);
  roundings_ = roundings_of(t, sizes.inputs);
  const std::int64_t m = results_of(how), n = m + kTaps - 1, square = n * n;
  std::vector<double> weights(static_cast<std::size_t>(sizes.outputs * sizes.inputs * square));
  for_each_chunk(sizes.outputs * sizes.inputs, threads, [&](std::int64_t at) {
    std::vector<double> taps(kTaps * kTaps);
    for (std::size_t k = 0; k < taps.size(); ++k) {
      taps[k] = magnitude_of(static_cast<double>(weight[static_cast<std::size_t>(at) * taps.size() + k]));
    }
    std::ranges::copy(both_sides(t.weight, taps), weights.begin() + at * square);
  });

  const std::int64_t down = (sizes.out_height() + m - 1) / m, across = (sizes.out_width() + m - 1) / m;
  std::vector<double> largest(static_cast<std::size_t>(sizes.batch * down * across));
  for_each_chunk(sizes.batch * down * across, threads, [&](std::int64_t tile) {
    const std::int64_t image = tile / (down * across), top = tile / across % down * m,
                       left = tile % across * m;
    std::vector<std::vector<double>> inputs;
    for (std::int64_t channel = 0; channel < sizes.inputs; ++channel) {
      std::vector<double> pixels(static_cast<std::size_t>(square));
      for (std::int64_t i = 0; i < square; ++i) {
        const std::int64_t row = top + i / n - sizes.padding, column = left + i % n - sizes.padding;
        if (row < 0 || row >= sizes.height || column < 0 || column >= sizes.width) continue;
        const std::int64_t at =
            ((image * sizes.inputs + channel) * sizes.height + row) * sizes.width + column;
        pixels[static_cast<std::size_t>(i)] =
            magnitude_of(static_cast<double>(x[static_cast<std::size_t>(at)]));
      }
      inputs.push_back(both_sides(t.input, pixels));
      for (const double input : inputs.back()) {
        if (std::isfinite(input))
          largest[static_cast<std::size_t>(tile)] = std::max(largest[static_cast<std::size_t>(tile)], input);
      }
    }
    for (std::int64_t channel = 0; channel < sizes.outputs; ++channel) {
      std::vector<double> sums(static_cast<std::size_t>(square));
      for (std::int64_t input = 0; input < sizes.inputs; ++input) {
        const double* const w = weights.data() + (channel * sizes.inputs + input) * square;
        const std::vector<double>& pixels = inputs[static_cast<std::size_t>(input)];
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += w[i] * pixels[i];
      }
      const std::vector<double> results = both_sides(t.output, sums);
      for (std::int64_t i = 0; i < m * m; ++i) {
        const std::int64_t row = top + i / m, column = left + i % m;
        if (row >= sizes.out_height() || column >= sizes.out_width()) continue;
        const std::int64_t at = (image * outputs_ + channel) * pixels_ + row * sizes.out_width() + column;
        magnitudes_[static_cast<std::size_t>(at)] = results[static_cast<std::size_t>(i)];
      }
    }
  });

  // Every step of a transform loses a unit at most, which its other factors enlarge; so does every product.
  double heaviest = 0;
  for (const double w : weights) heaviest = std::isfinite(w) ? std::max(heaviest, w) : heaviest;
  const double steps = 2 * (terms_of(t.input) + 2) * largest_row_sum(t.input) +
                       2 * (terms_of(t.weight) + 3) * largest_row_sum(t.weight);
  const double out = largest_row_sum(t.output) * largest_row_sum(t.output);
  for (std::int64_t image = 0; image < sizes.batch; ++image) {
    const auto first = largest.begin() + image * down * across;
    const double brightest = down * across == 0 ? 0 : *std::max_element(first, first + down * across);
    underflows_[static_cast<std::size_t>(image)] =
        out * (static_cast<double>(sizes.inputs) * (2 + steps * (heaviest + brightest)) + roundings_);
  }
}

template WinogradSums::WinogradSums(Convolutions, const ConvolutionSizes&, std::span<const float>,
                                    std::span<const float>, int);
template WinogradSums::WinogradSums(Convolutions, const ConvolutionSizes&, std::span<const double>,
                                    std::span<const double>, int);

}  // namespace deformdiff::operation
