// Where to sample: sampling_locations, pixel_centres, scaled_points.
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

namespace deformdiff::operation {
namespace {

/// r + offset / (W, H), or (cx, cy) + offset / P * (w, h) / 2; quotients may be products with a rounded
/// reciprocal, factors in any order.
template <typename T>
class SamplingLocations : public Elementwise<T> {
 public:
  SamplingLocations(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, c.input("offsets").shape(), 6),
        offsets_(floats<T>(c, "offsets")),
        references_(floats<T>(c, "reference_points")),
        sides_(integers(c, "spatial_shapes")) {
    const Shape& offsets = this->shape_;
    const Shape& references = c.input("reference_points").shape();
    require(offsets.size() == 6 && offsets[5] == 2, c, "offsets must have six axes");
    require(references.size() == 4 && (references[3] == 2 || references[3] == 4), c,
            "reference_points must be [B, Q, L, 2 or 4]");
    require(references[0] == offsets[0] && references[1] == offsets[1] && references[2] == offsets[3] &&
                sides_.size() == static_cast<std::size_t>(2 * offsets[3]),
            c, "offsets, reference_points and spatial_shapes do not fit each other");
    heads_ = offsets[2];
    levels_ = offsets[3];
    points_ = offsets[4];
    width_ = references[3];
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const std::int64_t axis = index % 2, level = index / 2 / points_ % levels_;
    const std::int64_t query = index / 2 / points_ / levels_ / heads_;
    const T offset = offsets_[static_cast<std::size_t>(index)];
    const T* reference = references_.data() + (query * levels_ + level) * width_;
    const T centre = reference[axis];
    if (width_ == 2) {
      const auto side = static_cast<double>(sides_[static_cast<std::size_t>(2 * level + 1 - axis)]);
      if (side == 0) return demand<T>(centre + offset / static_cast<T>(side), out);
      const double roundings = (is_power_of_two(side) ? 0 : 2) + (fits<T>(side, this->rounding()) ? 0 : 1);
      add(centre, offset, 1 / static_cast<Wide<T>>(side), roundings, out);
    } else {
      const auto points = static_cast<double>(points_);
      // offset / P, or its product with 1/P; times the extent; halving is exact.
      const double roundings = (is_power_of_two(points) ? 0 : 2) + 1;
      add(centre, offset, static_cast<Wide<T>>(reference[2 + axis]) / (2 * points), roundings, out);
    }
  }

  void add(T centre, T offset, Wide<T> factor, double roundings, Element<T>& out) const {
    const auto kinds = static_cast<double>(centre + offset * static_cast<T>(factor));
    if (!std::isfinite(centre) || !std::isfinite(offset) || !std::isfinite(factor)) {
      // Of an infinite box the order of factors decides, where offset / P underflows.
      return std::isinf(factor) ? admit_anything(out) : demand<T>(kinds, out);
    }
    const Wide<T> moved = offset * factor;
    const auto size = static_cast<double>(std::abs(moved));
    out.value = centre + moved;
    out.magnitude = static_cast<double>(std::abs(static_cast<Wide<T>>(centre)) + std::abs(moved) +
                                        std::abs(static_cast<Wide<T>>(offset)));
    double error = fits<T>(moved, this->rounding()) && roundings == 0 ? 0 : roundings * this->unit() * size;
    if (width_ == 4 && (offset == 0 || factor == 0)) error = 0;
    out.terms[kRounding] = error + rounding_error<T>(out.value, error, this->rounding());
    const bool exact = offset == 0 || (roundings == 0 && fits<T>(moved, this->rounding()));
    const double operands = 1 + std::abs(static_cast<double>(offset)) + std::abs(static_cast<double>(factor));
    out.terms[kUnderflow] = (exact ? 0 : 3 * this->underflow()) + 3 * this->flush() * operands;
  }

  std::span<const T> offsets_, references_;
  std::span<const std::int64_t> sides_;
  std::int64_t heads_, levels_, points_, width_;
};

Shape centres_shape(const Case& c) {
  const auto sides = integers(c, "spatial_shapes");
  const auto level = static_cast<std::size_t>(c.attribute("level"));
  const Shape& ratios = c.input("valid_ratios").shape();
  require(2 * level + 1 < sides.size(), c, "level is not one of spatial_shapes'");
  require(ratios.size() == 3 && ratios[2] == 2 && 2 * static_cast<std::size_t>(ratios[1]) == sides.size(), c,
          "valid_ratios must be [B, L, 2]");
  return {ratios[0], sides[2 * level] * sides[2 * level + 1], 2};
}

/// (j + 1/2) / (ratio W), or (j + 1/2) / W / ratio. The numerator is exact: linspace has a step of exactly 1.
template <typename T>
class PixelCentres : public Elementwise<T> {
 public:
  PixelCentres(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, centres_shape(c), 4),
        ratios_(floats<T>(c, "valid_ratios")),
        level_(c.attribute("level")),
        levels_(c.input("valid_ratios").dim(1)) {
    const auto sides = integers(c, "spatial_shapes");
    height_ = sides[static_cast<std::size_t>(2 * level_)];
    width_ = sides[static_cast<std::size_t>(2 * level_ + 1)];
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const std::int64_t pixel = index / 2 % (height_ * width_), batch = index / 2 / (height_ * width_);
    const bool vertical = index % 2 == 1;
    const std::int64_t place = vertical ? pixel / width_ : pixel % width_;
    const auto side = static_cast<double>(vertical ? height_ : width_);
    const T ratio = ratios_[static_cast<std::size_t>((batch * levels_ + level_) * 2 + (vertical ? 1 : 0))];
    if (std::isnan(ratio)) return demand<T>(ratio, out);
    // The centre is positive, so that neither order of divisions makes a NaN.
    if (ratio == 0 || std::isinf(ratio)) return demand<T>(1 / ratio, out);
    const double size = std::abs(static_cast<double>(ratio));
    if (size <= 4 * this->rounding().tiny || size * side >= this->rounding().largest)
      return admit_anything(out);
    const double centre = static_cast<double>(place) + 0.5;
    out.value = centre / (static_cast<Wide<T>>(ratio) * side);
    out.magnitude = std::max(static_cast<double>(std::abs(out.value)), centre);
    double roundings = is_power_of_two(ratio) ? (is_power_of_two(side) ? 0 : 1) : 2;
    if (!fits<T>(centre, this->rounding()) || !fits<T>(side, this->rounding())) roundings += 2;
    if (roundings > 0) {
      out.terms[kRounding] = roundings * this->unit() * static_cast<double>(std::abs(out.value));
      out.terms[kUnderflow] = 2 * this->underflow();
    }
  }
  std::span<const T> ratios_;
  std::int64_t level_, levels_, height_ = 0, width_ = 0;
};

Shape scaled_shape(const Case& c) {
  const Shape& points = c.input("points").shape();
  const Shape& ratios = c.input("valid_ratios").shape();
  require(points.size() == 3 && points[2] == 2, c, "points must be [B, S, 2]");
  require(ratios.size() == 3 && ratios[2] == 2 && ratios[0] == points[0], c,
          "valid_ratios must be [B, L, 2]");
  return {points[0], points[1], ratios[1], 2};
}

template <typename T>
class ScaledPoints : public Elementwise<T> {
 public:
  ScaledPoints(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, scaled_shape(c), 1),
        points_(floats<T>(c, "points")),
        ratios_(floats<T>(c, "valid_ratios")) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const std::int64_t levels = this->shape_[2], level = index / 2 % levels, point = index / 2 / levels;
    const std::int64_t batch = point / this->shape_[1];
    const T p = points_[static_cast<std::size_t>(2 * point + index % 2)];
    const T r = ratios_[static_cast<std::size_t>((batch * levels + level) * 2 + index % 2)];
    if (!std::isfinite(p) || !std::isfinite(r)) return demand<T>(p * r, out);
    out.value = static_cast<Wide<T>>(p) * r;
    out.magnitude = static_cast<double>(std::abs(out.value));
    if (p == 0 || r == 0) return;
    // A double's product need not fit the oracle's type: fits() must not be asked of its rounding.
    const bool exact =
        is_power_of_two(p) || is_power_of_two(r) || (sizeof(T) == 4 && fits<T>(out.value, this->rounding()));
    if (!exact) out.terms[kRounding] = this->unit() * first_place(out.magnitude);
    if (!exact || out.magnitude < 4 * this->rounding().tiny) out.terms[kUnderflow] = this->underflow();
    out.terms[kUnderflow] +=
        this->flush() * (std::abs(static_cast<double>(p)) + std::abs(static_cast<double>(r)));
  }
  std::span<const T> points_, ratios_;
};

}  // namespace

OperationTable points_operations() {
  return {{"sampling_locations", oracle_of<SamplingLocations>},
          {"pixel_centres", oracle_of<PixelCentres>},
          {"scaled_points", oracle_of<ScaledPoints>}};
}

}  // namespace deformdiff::operation
