// Coordinates, interpolation and padding.
#include "faults/fault.h"
#include "faults/plain_kernel.h"

#include <algorithm>

namespace deformdiff::worker {
namespace {

template <typename T>
struct SwappedNormaliser : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T x_of(T location, const typename Base::Level& level) const override {
    return location * T(level.height) - T(0.5);
  }
  T y_of(T location, const typename Base::Level& level) const override {
    return location * T(level.width) - T(0.5);
  }
};

/// mmcv's kernel: floorf() for double, and corners that are guarded on the side where a right floor() may
/// leave the map. Just below the far border the low corner is then the row beyond the map.
template <typename T>
struct FloorfInDouble : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T floor_of(T coordinate) const override { return std::floor(static_cast<float>(coordinate)); }
  T pixel(const typename Base::Plane& plane, const typename Base::Level& level, std::int64_t y,
          std::int64_t x, int dy, int dx) const override {
    const bool row_kept = dy == 0 ? y >= 0 : y + 1 < level.height;
    const bool column_kept = dx == 0 ? x >= 0 : x + 1 < level.width;
    if (!row_kept || !column_kept) return T(0);
    return this->value_at(plane, level.start + (y + dy) * level.width + x + dx);
  }
};

template <typename T>
struct AlignCorners : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T x_of(T location, const typename Base::Level& level) const override {
    return location * T(level.width - 1);
  }
  T y_of(T location, const typename Base::Level& level) const override {
    return location * T(level.height - 1);
  }
};

template <typename T>
struct HalfPixel : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T x_of(T location, const typename Base::Level& level) const override { return location * T(level.width); }
  T y_of(T location, const typename Base::Level& level) const override { return location * T(level.height); }
};

template <typename T>
struct BorderPadding : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T pixel(const typename Base::Plane& plane, const typename Base::Level& level, std::int64_t y,
          std::int64_t x, int dy, int dx) const override {
    const std::int64_t row = std::clamp<std::int64_t>(y + dy, 0, level.height - 1);
    const std::int64_t column = std::clamp<std::int64_t>(x + dx, 0, level.width - 1);
    return this->value_at(plane, level.start + row * level.width + column);
  }
};

template <typename T>
struct RangeFromZero : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  bool in_range(T coordinate, std::int64_t side) const override {
    return coordinate >= T(0) && coordinate < T(side);
  }
};

template <typename T>
struct RangeToLastPixel : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  bool in_range(T coordinate, std::int64_t side) const override {
    return coordinate > T(-1) && coordinate <= T(side - 1);
  }
};

template <typename T>
struct NearestPixel : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T x_of(T location, const typename Base::Level& level) const override {
    return std::nearbyint(Base::x_of(location, level));
  }
  T y_of(T location, const typename Base::Level& level) const override {
    return std::nearbyint(Base::y_of(location, level));
  }
};

template <typename T>
struct LastLevelTransposed : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T pixel(const typename Base::Plane& plane, const typename Base::Level& level, std::int64_t y,
          std::int64_t x, int dy, int dx) const override {
    const bool inside = y + dy >= 0 && y + dy < level.height && x + dx >= 0 && x + dx < level.width;
    if (level.index + 1 < this->arguments().L || !inside) return Base::pixel(plane, level, y, x, dy, dx);
    return this->value_at(plane, level.start + (x + dx) * level.height + y + dy);
  }
};

}  // namespace

SubjectList sampling_faults() {
  SubjectList list;
  add_fault(list,
            {"swapped_normaliser", "coordinates", "x is scaled by the height, y by the width", "not_square",
             "out_of_bound"},
            run_plain<SwappedNormaliser>);
  add_fault(list,
            {"floorf_in_double", "coordinates", "floorf() for float64, corners guarded on one side",
             "float64", "out_of_bound"},
            run_plain<FloorfInDouble>);
  add_fault(list,
            {"align_corners", "coordinates", "corner pixels' centres at 0 and 1 (align_corners=True)", "",
             "out_of_bound"},
            run_plain<AlignCorners>);
  add_fault(list, {"half_pixel", "coordinates", "coordinates without the half pixel", "", "out_of_bound"},
            run_plain<HalfPixel>);
  add_fault(list,
            {"border_padding", "border", "pixels outside the map repeat its border", "", "out_of_bound"},
            run_plain<BorderPadding>);
  add_fault(list,
            {"range_from_zero", "border", "points between -1 and 0 are skipped", "negative_fraction",
             "out_of_bound"},
            run_plain<RangeFromZero>);
  add_fault(list,
            {"range_to_last_pixel", "border", "points beyond the last pixel's centre are skipped", "far_edge",
             "out_of_bound"},
            run_plain<RangeToLastPixel>);
  add_fault(list,
            {"nearest_pixel", "coordinates", "nearest pixel instead of interpolation", "", "out_of_bound"},
            run_plain<NearestPixel>);
  add_fault(
      list,
      {"last_level_transposed", "indexing", "the last level is read column by column", "", "out_of_bound"},
      run_plain<LastLevelTransposed>);
  return list;
}

}  // namespace deformdiff::worker
