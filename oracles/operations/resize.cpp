// Bilinear resizing, align_corners false, without antialiasing. S is continuous and piecewise bilinear, as in
// ms_deform_attn, but constant beyond the outermost pixels' centres.
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

#include <numeric>

#include <fmt/format.h>

namespace deformdiff::operation {
namespace {

/// Where one row or column of the output samples the input.
template <typename T>
struct Sample {
  Wide<T> position = 0;  ///< in pixels, at least 0
  double shift = 0;      ///< how far a computed position may be off
  /// The position's cell, and those it may be computed to lie in.
  std::int64_t cell = 0, first = 0, last = 0;
  bool exact = false;  ///< on a pixel for every formula
};

/// How far a position that grid_sample makes of 2 (i + 1/2) / out - 1 may be off, in units of u (README,
/// "Resizing"); 0 where nothing rounds.
template <typename T>
double grid_shift(std::int64_t i, std::int64_t in, std::int64_t out, const Rounding& rounding) {
  const auto size = static_cast<Wide<T>>(in);
  const Wide<T> twice = static_cast<Wide<T>>(2 * i + 1) / static_cast<Wide<T>>(out);
  const Wide<T> scaled = twice * size / 2, position = scaled - Wide<T>(0.5);
  const bool exact = is_power_of_two(static_cast<double>(out)) && fits<T>(twice, rounding) &&
                     fits<T>(twice - 1, rounding) && fits<T>(scaled, rounding) && fits<T>(position, rounding);
  if (exact) return 0;
  return static_cast<double>(4 * scaled + std::abs(scaled - size / 2) + std::abs(position));
}

/// Position (i + 1/2) in / out - 1/2, with the shift of its formulas (README, "Resizing").
template <typename T>
Sample<T> sample_at(std::int64_t i, std::int64_t in, std::int64_t out, const Setting& setting) {
  const Wide<T> ratio = static_cast<Wide<T>>(in) / static_cast<Wide<T>>(out);
  const Wide<T> scaled = static_cast<Wide<T>>((2 * i + 1) * in) / static_cast<Wide<T>>(2 * out);
  const Wide<T> offset =
      (static_cast<Wide<T>>(in) - static_cast<Wide<T>>(out)) / static_cast<Wide<T>>(2 * out);
  const Wide<T> position = scaled - Wide<T>(0.5);
  Sample<T> sample;
  // Only fractions over a power of two can be numbers of T.
  const bool dyadic = is_power_of_two(static_cast<double>(out / std::gcd(in, out)));
  const bool exact = dyadic && fits<T>(static_cast<Wide<T>>((2 * i + 1) * in) / 2, setting.rounding) &&
                     fits<T>(ratio, setting.rounding) &&
                     fits<T>(ratio * static_cast<Wide<T>>(i), setting.rounding) &&
                     fits<T>(scaled, setting.rounding) && fits<T>(offset, setting.rounding) &&
                     fits<T>(position, setting.rounding);
  if (!exact) {
    sample.shift = 2 * static_cast<double>(scaled) + static_cast<double>(std::abs(position)) +
                   static_cast<double>(std::abs(offset));
  }
  if (setting.coordinates != Coordinates::kFused)
    sample.shift = std::max(sample.shift, grid_shift<T>(i, in, out, setting.rounding));
  sample.shift *= setting.rounding.unit;
  sample.position = std::clamp<Wide<T>>(position, 0, static_cast<Wide<T>>(in));
  const auto cell_of = [in](double t) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(t)), 0, in - 1);
  };
  if (position < 0 && static_cast<double>(-position) > sample.shift) sample.shift = 0;
  const auto place = static_cast<double>(sample.position);
  sample.cell = std::min(static_cast<std::int64_t>(sample.position), in - 1);
  sample.first = std::min(sample.cell, cell_of(place - sample.shift));
  sample.last = std::max(sample.cell, cell_of(place + sample.shift));
  sample.exact = sample.shift == 0 && sample.position == static_cast<Wide<T>>(sample.cell);
  return sample;
}

/// Both weights of a cell along one axis, enlarged by the shift.
struct Weights {
  double near, far;
};

template <typename T>
Weights weights_in(const Sample<T>& sample, std::int64_t cell) {
  const auto far = static_cast<double>(sample.position - static_cast<Wide<T>>(cell));
  return {std::clamp(1 - far + sample.shift, 0.0, 1.0), std::clamp(far + sample.shift, 0.0, 1.0)};
}

/// Units of u that a corner's value may be off by; X and Y its weights, X' and Y' those of the other side.
double coefficient(double x, double other_x, bool exact_x, double y, double other_y, bool exact_y) {
  if (exact_x && exact_y) return 0;
  if (exact_x) return std::max(4 * y, 3 * std::max(y, other_y) + y) * (x > 0.5 ? 1 : 0);
  if (exact_y) return std::max(4 * x, 3 * std::max(x, other_x) + x) * (y > 0.5 ? 1 : 0);
  const double weight = x * y;
  return std::max(7 * weight, 3 * y * std::max(x, other_x) + 3 * x * std::max(y, other_y) + 2 * weight);
}

Shape resized(const Case& c) {
  Shape shape = c.input("x").shape();
  require(shape.size() == 4, c, "x must have four axes");
  require(c.attribute("height") > 0 && c.attribute("width") > 0, c, "height and width must be positive");
  require((shape[2] > 0 && shape[3] > 0) || element_count(shape) == 0, c, "x has no pixels");
  if (shape[2] > 0 && shape[3] > 0) {
    shape[2] = c.attribute("height");
    shape[3] = c.attribute("width");
  }
  return shape;
}

template <typename T>
class Resize : public Rowwise<T> {
 public:
  Resize(const Case& c, const Setting& setting)
      : Rowwise<T>(setting, resized(c), 16),
        x_(floats<T>(c, "x")),
        height_(c.input("x").dim(2)),
        width_(c.input("x").dim(3)) {}

  void prepare(int /*threads*/) override {
    for (std::int64_t i = 0; i < this->shape_[2]; ++i)
      rows_.push_back(sample_at<T>(i, height_, this->shape_[2], this->setting_));
    for (std::int64_t i = 0; i < this->shape_[3]; ++i)
      columns_.push_back(sample_at<T>(i, width_, this->shape_[3], this->setting_));
  }

  std::vector<std::string> describe(std::int64_t element) const override {
    const Sample<T>& x = columns_[static_cast<std::size_t>(element % this->shape_[3])];
    const Sample<T>& y = rows_[static_cast<std::size_t>(element / this->shape_[3] % this->shape_[2])];
    return {fmt::format("samples the {}x{} map at x {:.9g} +- {:.2g}, y {:.9g} +- {:.2g}, cell ({}, {}){}",
                        height_, width_, static_cast<double>(x.position), x.shift,
                        static_cast<double>(y.position), y.shift, x.cell, y.cell,
                        x.first != x.last || y.first != y.last ? " or a neighbour" : "")};
  }

  void evaluate(std::int64_t index, Element<T>* out) const override {
    const Sample<T>& y = rows_[static_cast<std::size_t>(index % this->shape_[2])];
    const T* map = x_.data() + index / this->shape_[2] * height_ * width_;
    for (std::int64_t j = 0; j < this->columns(); ++j) {
      const Sample<T>& x = columns_[static_cast<std::size_t>(j)];
      for (std::int64_t row = y.first; row <= y.last; ++row) {
        for (std::int64_t column = x.first; column <= x.last; ++column) {
          if (out[j].admits == kAdmitsFinite) add_cell(map, x, y, column, row, out[j]);
        }
      }
    }
  }

 private:
  /// Every term is the largest over the cells.
  void add_cell(const T* map, const Sample<T>& x, const Sample<T>& y, std::int64_t column, std::int64_t row,
                Element<T>& out) const {
    const std::int64_t right = std::min(column + 1, width_ - 1), below = std::min(row + 1, height_ - 1);
    const T a = map[row * width_ + column], b = map[row * width_ + right];
    const T c = map[below * width_ + column], d = map[below * width_ + right];
    const Weights wx = weights_in(x, column), wy = weights_in(y, row);
    if (!std::isfinite(a + b + c + d) &&
        !(std::isfinite(a) && std::isfinite(b) && std::isfinite(c) && std::isfinite(d)))
      return nonfinite({a, b, c, d}, wx, wy, out);
    if (row == y.cell && column == x.cell) {
      const Wide<T> fx = x.position - static_cast<Wide<T>>(column),
                    fy = y.position - static_cast<Wide<T>>(row);
      out.value = (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d);
    }
    const double ma = std::abs(static_cast<double>(a)), mb = std::abs(static_cast<double>(b));
    const double mc = std::abs(static_cast<double>(c)), md = std::abs(static_cast<double>(d));
    const double all = ma + mb + mc + md;
    const double rounding = coefficient(wx.near, wx.far, x.exact, wy.near, wy.far, y.exact) * ma +
                            coefficient(wx.far, wx.near, x.exact, wy.near, wy.far, y.exact) * mb +
                            coefficient(wx.near, wx.far, x.exact, wy.far, wy.near, y.exact) * mc +
                            coefficient(wx.far, wx.near, x.exact, wy.far, wy.near, y.exact) * md;
    const double top = static_cast<double>(b) - a, bottom = static_cast<double>(d) - c;
    const double left = static_cast<double>(c) - a, far = static_cast<double>(d) - b;
    const double fx = std::clamp(static_cast<double>(x.position) - static_cast<double>(column), 0.0, 1.0);
    const double fy = std::clamp(static_cast<double>(y.position) - static_cast<double>(row), 0.0, 1.0);
    const double slope_x = std::abs((1 - fy) * top + fy * bottom),
                 slope_y = std::abs((1 - fx) * left + fx * far);
    const double moved = x.shift * slope_x + y.shift * slope_y + x.shift * y.shift * std::abs(bottom - top) +
                         (x.shift + y.shift) * 0x1p-50 * all;
    const auto raise = [](double& largest, double t) { largest = std::max(largest, t); };
    raise(out.magnitude, wy.near * (wx.near * ma + wx.far * mb) + wy.far * (wx.near * mc + wx.far * md));
    raise(out.terms[kRounding], this->unit() * rounding);
    raise(out.terms[kCoordinates], moved);
    if (!x.exact || !y.exact)
      raise(out.terms[kUnderflow], 12 * (this->underflow() + this->flush()) * (1 + all));
    if (4 * all > this->rounding().largest) admit_anything(out);
  }

  static void nonfinite(const std::array<T, 4>& corners, const Weights& x, const Weights& y,
                        Element<T>& out) {
    constexpr double kSurely = 0x1p-10;
    const std::array<double, 4> weights{x.near * y.near, x.far * y.near, x.near * y.far, x.far * y.far};
    bool infinite = false;
    for (std::size_t i = 0; i < 4; ++i) {
      if (weights[i] < kSurely) continue;
      if (std::isnan(corners[i])) return demand<T>(corners[i], out);
      infinite = infinite || std::isinf(corners[i]);
    }
    admit_anything(out);
    // a + f(b - a) makes a NaN of what is infinite, and of the other infinity of what it is subtracted from.
    if (infinite) out.admits = kAdmitsNan | kAdmitsPlusInf | kAdmitsMinusInf;
  }

  std::span<const T> x_;
  std::int64_t height_, width_;
  std::vector<Sample<T>> rows_, columns_;
};

}  // namespace

OperationTable resize_operations() {
  return {{"resize", oracle_of<Resize>}};
}

}  // namespace deformdiff::operation
