#include "generators/ms_deform_attn/nonfinite.h"

#include "core/dtype_dispatch.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// The elements of a contiguous tensor, to be changed; back into a tensor with release().
template <typename T>
class Editable {
 public:
  explicit Editable(const Tensor& tensor)
      : dtype_(tensor.dtype()),
        shape_(tensor.shape()),
        bytes_(tensor.storage().begin(), tensor.storage().end()) {}

  T& operator[](std::int64_t index) { return reinterpret_cast<T*>(bytes_.data())[index]; }
  std::int64_t size() const { return static_cast<std::int64_t>(bytes_.size() / sizeof(T)); }
  Tensor release() { return Tensor(dtype_, shape_, std::move(bytes_)); }

 private:
  DType dtype_;
  Shape shape_;
  Tensor::Bytes bytes_;
};

template <typename T>
class Pokes {
 public:
  Pokes(const Sketch& sketch, Draw& draw, const Tensor& value, const Tensor& locations, const Tensor& weights)
      : s_(sketch), draw_(draw), value_(value), locations_(locations), weights_(weights) {}

  void one() {
    if (weights_.size() == 0 || value_.size() == 0) return;
    point_ = draw_.between(0, weights_.size() - 1);
    switch (draw_.share_of({35, 15, 15, 20, 15})) {
      case 0:
        return location();
      case 1:
        weights_[point_] = bad();
        return;
      case 2:
        weights_[point_] = bad();
        locations_[2 * point_ + draw_.between(0, 1)] = static_cast<T>(draw_.chance(50) ? 5 : -4);
        return;
      case 3:
        return pixel(draw_.between(0, s_.dims.N * s_.dims.S - 1));
      default:
        return zero_weight_corner();
    }
  }

  void release(Tensor& value, Tensor& locations, Tensor& weights) {
    value = value_.release();
    locations = locations_.release();
    weights = weights_.release();
  }

 private:
  T bad() {
    using Limits = std::numeric_limits<T>;
    return draw_.one_of<T>({Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()});
  }

  void location() {
    const std::size_t which = draw_.share_of({1, 1, 1});
    if (which != 0) locations_[2 * point_] = bad();
    if (which != 1) locations_[2 * point_ + 1] = bad();
  }

  /// One channel or all of a row of value, in one head.
  void pixel(std::int64_t row) {
    const std::int64_t head = row * s_.dims.M + draw_.between(0, s_.dims.M - 1);
    const T number = bad();
    if (draw_.chance(50)) {
      value_[head * s_.dims.D + draw_.between(0, s_.dims.D - 1)] = number;
    } else {
      for (std::int64_t d = 0; d < s_.dims.D; ++d) value_[head * s_.dims.D + d] = number;
    }
  }

  /// The point at a pixel's centre, and the pixel after or before it not finite.
  void zero_weight_corner() {
    const Dims& d = s_.dims;
    const Level& level = s_.levels[static_cast<std::size_t>(point_ / d.P % d.L)];
    const std::int64_t n = point_ / (d.Q * d.M * d.L * d.P);
    const std::int64_t x = draw_.between(0, level.width - 1);
    const std::int64_t y = draw_.between(0, level.height - 1);
    locations_[2 * point_] =
        static_cast<T>((static_cast<double>(x) + 0.5) / static_cast<double>(level.width));
    locations_[2 * point_ + 1] =
        static_cast<T>((static_cast<double>(y) + 0.5) / static_cast<double>(level.height));
    const std::int64_t beside = y * level.width + x + (draw_.chance(50) ? 1 : -1);
    pixel(n * d.S + level.start + std::clamp<std::int64_t>(beside, 0, level.height * level.width - 1));
  }

  const Sketch& s_;
  Draw& draw_;
  Editable<T> value_, locations_, weights_;
  std::int64_t point_ = 0;
};

template <typename T>
void add(const Sketch& sketch, Draw& draw, Tensor& value, Tensor& locations, Tensor& weights) {
  Pokes<T> pokes(sketch, draw, value, locations, weights);
  for (std::int64_t count = draw.between(1, 4); count > 0; --count) pokes.one();
  pokes.release(value, locations, weights);
}

}  // namespace

void add_nonfinite(const Sketch& sketch, Draw& draw, Tensor& value, Tensor& locations, Tensor& weights) {
  with_floating(sketch.dtype,
                [&](auto zero) { add<decltype(zero)>(sketch, draw, value, locations, weights); });
}

}  // namespace deformdiff::ms_deform_attn
