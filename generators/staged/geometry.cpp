#include "generators/staged/geometry.h"

#include "generators/common/numbers.h"

#include <algorithm>

namespace deformdiff {
namespace {

Tensor booleans(const Shape& shape, const std::vector<std::uint8_t>& values) {
  return Tensor::of<std::uint8_t>(DType::kBool, shape, values);
}

Tensor numbers(const Shape& shape, const std::vector<double>& values, DType dtype) {
  return convert(Tensor::of<double>(DType::kFloat64, shape, values), dtype);
}

/// What one of the functions below works with.
class Geometry {
 public:
  Geometry(const Shape& shape, const Sketch& sketch, const CounterRandom& random)
      : shape_(shape), sketch_(sketch), random_(random), elements_(element_count(shape)) {}

  Tensor spatial_shapes() const {
    std::vector<std::int64_t> sides;
    for (const LevelSize& level : sketch_.levels) sides.insert(sides.end(), {level.height, level.width});
    return int64_tensor(shape_, sides);
  }

  Tensor target_size() const {
    const std::int64_t height = sketch_.at("H");
    const std::int64_t width = sketch_.at("W");
    switch (random_.below(0, 4)) {
      case 0:
        return int64_tensor(shape_, {height, width});
      case 1:
        return int64_tensor(shape_, {(height + 1) / 2, (width + 1) / 2});
      case 2:
        return int64_tensor(shape_, {(height + 3) / 4, (width + 3) / 4});
      default:
        return int64_tensor(shape_, {1 + static_cast<std::int64_t>(random_.below(1, 9)),
                                     1 + static_cast<std::int64_t>(random_.below(2, 9))});
    }
  }

  /// [B, L, 2], x first: the part of a level that is not padding.
  Tensor valid_ratios() const {
    std::vector<double> ratios;
    for (std::int64_t b = 0; b < shape_[0]; ++b) {
      for (const LevelSize& level : sketch_.levels) {
        const LevelSize valid = valid_part(b, level);
        ratios.push_back(static_cast<double>(valid.width) / static_cast<double>(level.width));
        ratios.push_back(static_cast<double>(valid.height) / static_cast<double>(level.height));
      }
    }
    return numbers(shape_, ratios, sketch_.dtype);
  }

  /// [B, S], true where padding.
  Tensor padding() const {
    std::vector<std::uint8_t> mask;
    for (std::int64_t b = 0; b < shape_[0]; ++b) {
      const CounterRandom image = random_.stream(static_cast<std::uint64_t>(b));
      const bool whole = sketch_.has(Twist::kWholeRowsMask) && image.below(0, 2) == 0;
      for (const LevelSize& level : sketch_.levels) {
        const LevelSize valid = valid_part(b, level);
        for (std::int64_t y = 0; y < level.height; ++y) {
          for (std::int64_t x = 0; x < level.width; ++x) {
            bool padded = whole || y >= valid.height || x >= valid.width;
            if (sketch_.has(Twist::kScatteredMask)) padded = image.below(mask.size() + 1, 3) == 0;
            mask.push_back(padded ? 1 : 0);
          }
        }
      }
    }
    return booleans(shape_, mask);
  }

  /// [B*M, Q, K], true where blocked.
  Tensor attention_mask() const {
    const auto heads = static_cast<std::uint64_t>(sketch_.at("M"));
    const auto keys = static_cast<std::uint64_t>(shape_[2]);
    const auto rows = static_cast<std::uint64_t>(shape_[0] * shape_[1]);
    const auto queries = static_cast<std::uint64_t>(std::max<std::int64_t>(shape_[1], 1));
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(elements_));
    for (std::uint64_t row = 0; row < rows; ++row) {
      const std::uint64_t head = row / queries;
      const std::uint64_t image = sketch_.has(Twist::kPerHeadMask) ? head : head / heads;
      const CounterRandom stream = random_.stream(image * queries + row % queries);
      const bool blocked = sketch_.has(Twist::kWholeRowsMask) && stream.below(0, 4) == 0;
      const bool most = stream.below(1, 4) == 0;
      for (std::uint64_t k = 0; k < keys; ++k) {
        const std::uint64_t drawn = stream.below(3 + k, 8);
        mask[static_cast<std::size_t>(row * keys + k)] = blocked || drawn < (most ? 7U : 4U) ? 1 : 0;
      }
      if (!blocked) mask[static_cast<std::size_t>(row * keys + stream.below(2, keys))] = 0;
    }
    return booleans(shape_, mask);
  }

  /// [B, H, W], true where the image is.
  Tensor valid_pixels() const {
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(elements_));
    const LevelSize map{shape_[1], shape_[2]};
    for (std::int64_t i = 0; i < elements_; ++i) {
      const std::int64_t b = i / map.pixels();
      const LevelSize valid = valid_part(b, map);
      bool inside = i / map.width % map.height < valid.height && i % map.width < valid.width;
      const CounterRandom image = random_.stream(static_cast<std::uint64_t>(b));
      if (sketch_.has(Twist::kScatteredMask)) inside = image.below(static_cast<std::uint64_t>(i) + 1, 3) != 0;
      if (sketch_.has(Twist::kWholeRowsMask) && image.below(0, 2) == 0) inside = false;
      mask[static_cast<std::size_t>(i)] = inside ? 1 : 0;
    }
    return booleans(shape_, mask);
  }

  /// [B, Q, L, 2 or 4].
  Tensor reference_points() const {
    const auto coordinates = static_cast<std::size_t>(shape_[3]);
    const auto levels = static_cast<std::size_t>(shape_[2]);
    const bool grid = shape_[1] == sketch_.at("S") && coordinates == 2 && random_.below(0, 4) != 0;
    const std::vector<double> centres = grid ? pixel_centres() : std::vector<double>{};
    std::vector<double> points(static_cast<std::size_t>(elements_));
    for (std::size_t i = 0; i < points.size(); ++i) {
      const std::size_t coordinate = i % coordinates;
      const std::size_t level = i / coordinates % levels;
      const std::size_t query = i / coordinates / levels % static_cast<std::size_t>(shape_[1]);
      const std::size_t of_query = i / coordinates / levels * coordinates + coordinate;
      const double drawn = random_.stream(2).uniform(of_query);
      if (coordinate >= 2) {
        points[i] = 0.02 + 0.6 * drawn;  // width and height of a box
      } else if (sketch_.has(Twist::kOddReferences)) {
        points[i] = odd_place(sketch_.levels[level], coordinate, random_.stream(3).bits(i));
      } else {
        points[i] = grid ? centres[2 * query + coordinate] : drawn;
      }
    }
    return numbers(shape_, points, sketch_.dtype);
  }

 private:
  /// The same part of every level, up to whole pixels; all of it without padding.
  LevelSize valid_part(std::int64_t b, const LevelSize& level) const {
    const CounterRandom image = random_.stream(1000 + static_cast<std::uint64_t>(b));
    const bool padded = sketch_.tier == DeepTier::kAdversarial || sketch_.given.contains("attention_mask") ||
                        sketch_.given.contains("mask");
    if (!padded || image.below(0, 3) == 0) return level;
    const auto part = [&](std::int64_t side, std::uint64_t word) {
      const double share = 0.4 + 0.6 * image.uniform(word);
      return std::max<std::int64_t>(1, static_cast<std::int64_t>(share * static_cast<double>(side) + 0.5));
    };
    return {part(level.height, 1), part(level.width, 2)};
  }

  std::vector<double> pixel_centres() const {
    std::vector<double> centres;
    for (const LevelSize& level : sketch_.levels) {
      for (std::int64_t y = 0; y < level.height; ++y) {
        for (std::int64_t x = 0; x < level.width; ++x) {
          centres.push_back((static_cast<double>(x) + 0.5) / static_cast<double>(level.width));
          centres.push_back((static_cast<double>(y) + 0.5) / static_cast<double>(level.height));
        }
      }
    }
    return centres;
  }

  static double odd_place(const LevelSize& level, std::size_t coordinate, std::uint64_t word) {
    const std::int64_t side = coordinate == 0 ? level.width : level.height;
    const auto at = static_cast<double>((word >> 8) % static_cast<std::uint64_t>(side));
    switch (word % 6) {
      case 0:
        return 0;
      case 1:
        return 1;
      case 2:
        return (at + 0.5) / static_cast<double>(side);
      case 3:
        return at / static_cast<double>(side);
      case 4:
        return -0.5 / static_cast<double>(side);
      default:
        return 2 * unit(word) - 0.5;
    }
  }

  const Shape& shape_;
  const Sketch& sketch_;
  CounterRandom random_;
  std::int64_t elements_;
};

}  // namespace

std::optional<Tensor> make_geometry(const TensorSpec& spec, const Shape& shape, const Sketch& sketch,
                                    const CounterRandom& of_the_case) {
  const Geometry geometry(shape, sketch, of_the_case);
  if (spec.name == "spatial_shapes") return geometry.spatial_shapes();
  if (spec.name == "level_start_index") return int64_tensor(shape, level_starts(sketch.levels));
  if (spec.name == "spatial_shape") return int64_tensor(shape, {sketch.at("H"), sketch.at("W")});
  if (spec.name == "target_size") return geometry.target_size();
  if (spec.name == "valid_ratios") return geometry.valid_ratios();
  if (spec.name == "reference_points") return geometry.reference_points();
  if (spec.name == "mask") return geometry.valid_pixels();
  if (spec.name == "attention_mask")
    return shape.size() == 2 ? geometry.padding() : geometry.attention_mask();
  return std::nullopt;
}

}  // namespace deformdiff
