// The sine position embedding: coordinates, temperatures, angles, sine_embedding.
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

namespace deformdiff::operation {
namespace {

Shape map_shape(const Case& c) {
  if (const Tensor* mask = c.find_input("mask")) {
    require(mask->shape().size() == 3, c, "mask must have three axes");
    return mask->shape();
  }
  const auto sides = integers(c, "spatial_shape");
  require(sides.size() == 2, c, "spatial_shape must be (height, width)");
  return {1, sides[0], sides[1]};
}

/// (c + offset) / (last + eps) * scale, in any order; without `normalize`, the count c.
template <typename T>
class Coordinates : public Elementwise<T> {
 public:
  Coordinates(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, map_shape(c), 8),
        along_x_(c.attribute("axis") == 1),
        normalize_(c.attribute("normalize") != 0),
        offset_(normalize_ ? c.number("offset") : 0),
        eps_(normalize_ ? c.number("eps") : 0),
        scale_(normalize_ ? c.number("scale") : 1) {
    if (c.find_input("mask") != nullptr) mask_ = booleans(c, "mask");
    scale_error_ = fits<T>(scale_, this->rounding()) ? 0 : this->unit();
  }

  void prepare(int /*threads*/) override {
    if (mask_.empty()) return;
    counts_.resize(mask_.size());
    const std::int64_t width = this->shape_[2], step = along_x_ ? 1 : width;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(mask_.size()); ++i) {
      const bool first = (along_x_ ? i % width : i / width % this->shape_[1]) == 0;
      counts_[static_cast<std::size_t>(i)] = (first ? 0 : counts_[static_cast<std::size_t>(i - step)]) +
                                             (mask_[static_cast<std::size_t>(i)] != 0 ? 1 : 0);
    }
  }

 private:
  struct Counts {
    double count, last;
  };
  Counts counts_at(std::int64_t index) const {
    const std::int64_t height = this->shape_[1], width = this->shape_[2];
    const std::int64_t x = index % width, y = index / width % height;
    const std::int64_t place = along_x_ ? x : y, length = along_x_ ? width : height;
    if (mask_.empty()) return {static_cast<double>(place + 1), static_cast<double>(length)};
    const std::int64_t last = index + (length - 1 - place) * (along_x_ ? 1 : width);
    return {static_cast<double>(counts_[static_cast<std::size_t>(index)]),
            static_cast<double>(counts_[static_cast<std::size_t>(last)])};
  }

  /// Relative error of `count + number`, the number rounded to T first.
  double sum_error(double count, double number, Wide<T> sum) const {
    if (fits<T>(number, this->rounding()) && fits<T>(sum, this->rounding())) return 0;
    const double rounded = fits<T>(number, this->rounding()) ? 0 : this->unit() * std::abs(number);
    return this->unit() + rounded / std::max(std::abs(static_cast<double>(sum)), this->rounding().tiny) +
           (fits<T>(count, this->rounding()) ? 0 : this->unit());
  }

  void element(std::int64_t index, Element<T>& out) const override {
    const auto [count, last] = counts_at(index);
    const double unit = this->unit();
    if (!normalize_) {
      out.value = count;
      out.magnitude = count;
      out.terms[kRounding] = fits<T>(count, this->rounding()) ? 0 : unit * count;
      return;
    }
    const Wide<T> above = static_cast<Wide<T>>(count) + offset_, below = static_cast<Wide<T>>(last) + eps_;
    if (below == 0) return demand<T>(static_cast<double>(above / below * scale_), out);
    if (!(std::abs(below) > unit)) return admit_anything(out);
    out.value = above / below * scale_;
    const auto size = static_cast<double>(std::abs(out.value));
    // Either order of division and multiplication passes these.
    out.magnitude = std::max(size, static_cast<double>(std::abs(above)) * std::max(1.0, std::abs(scale_)));
    if (above == 0) return;
    // The quotient and the product; scale / (last + eps) rounds even where the scale is 1.
    const double roundings =
        is_power_of_two(static_cast<double>(below)) ? (is_power_of_two(scale_) ? 0 : 1) : 2;
    out.terms[kRounding] = size * (sum_error(count, offset_, above) + sum_error(last, eps_, below) +
                                   scale_error_ + roundings * unit);
    out.terms[kUnderflow] = this->underflow() * (2 + std::abs(scale_));
  }

  bool along_x_, normalize_;
  double offset_, eps_, scale_;
  double scale_error_ = 0;
  std::span<const std::uint8_t> mask_;
  std::vector<std::int32_t> counts_;
};

/// pow(temperature, e) or exp(e log(temperature)), e a rounded quotient.
template <typename T>
class Temperatures : public Elementwise<T> {
 public:
  Temperatures(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, {c.attribute("count")},
                       40 + 2 * std::max(setting.ulps.pow, setting.ulps.exp)),
        base_(c.number("temperature")) {
    require(base_ > 0, c, "temperature must be positive");
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const Wide<T> exponent = static_cast<Wide<T>>(2 * (index / 2)) / static_cast<Wide<T>>(this->shape_[0]);
    out.value = std::pow(static_cast<Wide<T>>(base_), exponent);
    out.magnitude = static_cast<double>(out.value);
    // pow(x, 0) and pow(1, y) are 1 in every library.
    if (exponent == 0 || base_ == 1) return;
    const auto e = static_cast<double>(exponent);
    const double logarithm = e * std::abs(std::log(base_));
    const double of_exponent = fits<T>(exponent, this->rounding()) ? 0 : this->unit() * logarithm;
    const double by_pow = this->setting_.relative(this->setting_.ulps.pow) +
                          std::expm1(of_exponent + (fits<T>(base_, this->rounding()) ? 0 : this->unit() * e));
    const double by_exp = this->setting_.relative(this->setting_.ulps.exp) +
                          std::expm1(of_exponent + 2 * this->unit() * logarithm);
    out.terms[kTranscendental] = out.magnitude * std::max(by_pow, by_exp);
    out.terms[kUnderflow] = this->underflow();
  }
  double base_;
};

Shape angles_shape(const Case& c) {
  Shape shape = c.input("coordinates").shape();
  require(c.input("temperatures").shape().size() == 1, c, "temperatures must have one axis");
  shape.push_back(c.input("temperatures").dim(0));
  return shape;
}

/// Divided, or multiplied by the rounded reciprocal.
template <typename T>
class Angles : public Elementwise<T> {
 public:
  Angles(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, angles_shape(c), 3),
        coordinates_(floats<T>(c, "coordinates")),
        temperatures_(floats<T>(c, "temperatures")) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const std::int64_t n = this->shape_.back();
    const T coordinate = coordinates_[static_cast<std::size_t>(index / n)];
    const T temperature = temperatures_[static_cast<std::size_t>(index % n)];
    if (std::isnan(coordinate) || std::isnan(temperature))
      return demand<T>(std::numeric_limits<T>::quiet_NaN(), out);
    if (!std::isfinite(coordinate) || !std::isfinite(temperature) ||
        std::abs(temperature) < 4 * this->rounding().tiny ||
        std::abs(temperature) > this->rounding().largest / 4) {
      return admit_anything(out);
    }
    out.value = static_cast<Wide<T>>(coordinate) / temperature;
    out.magnitude = static_cast<double>(std::abs(out.value));
    if (coordinate == 0) return;
    if (!is_power_of_two(temperature)) out.terms[kRounding] = 2 * this->unit() * out.magnitude;
    if (!is_power_of_two(temperature) || this->flush() != 0 || !fits<T>(out.value, this->rounding())) {
      out.terms[kUnderflow] =
          2 * this->underflow() + this->flush() / std::abs(static_cast<double>(temperature));
    }
  }
  std::span<const T> coordinates_, temperatures_;
};

Shape embedding_shape(const Case& c) {
  const Shape& y = c.input("angle_y").shape();
  require(y.size() == 4 && c.input("angle_x").shape() == y, c, "angles must have four axes, alike");
  return {y[0], 2 * y[3], y[1], y[2]};
}

template <typename T>
class SineEmbedding : public Elementwise<T> {
 public:
  SineEmbedding(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, embedding_shape(c), 2 + 2 * setting.ulps.sin_cos),
        y_(floats<T>(c, "angle_y")),
        x_(floats<T>(c, "angle_x")) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const std::int64_t pixels = this->shape_[2] * this->shape_[3], channels = this->shape_[1] / 2;
    const std::int64_t pixel = index % pixels, channel = index / pixels % (2 * channels);
    const std::int64_t i = channel % channels;
    const std::int64_t at = (index / pixels / (2 * channels) * pixels + pixel) * channels + i;
    const T angle = (channel < channels ? y_ : x_)[static_cast<std::size_t>(at)];
    if (!std::isfinite(angle)) return demand<T>(std::numeric_limits<T>::quiet_NaN(), out);
    const auto wide = static_cast<Wide<T>>(angle);
    out.value = i % 2 == 0 ? std::sin(wide) : std::cos(wide);
    out.magnitude = static_cast<double>(std::abs(out.value));
    // sin(0) is 0 and cos(0) is 1 in every library.
    if (angle == 0) return;
    out.terms[kTranscendental] = this->setting_.relative(this->setting_.ulps.sin_cos) * out.magnitude;
    out.terms[kUnderflow] = this->underflow();
  }
  std::span<const T> y_, x_;
};

}  // namespace

OperationTable positions_operations() {
  return {{"coordinates", oracle_of<Coordinates>},
          {"temperatures", oracle_of<Temperatures>},
          {"angles", oracle_of<Angles>},
          {"sine_embedding", oracle_of<SineEmbedding>}};
}

}  // namespace deformdiff::operation
