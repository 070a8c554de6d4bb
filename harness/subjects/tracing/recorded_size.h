// Extents that a trace follows. In C++ `x.size(0)` is a number, which a trace holds as a constant; Python's
// tracer sees a recorded scalar instead, and so does code that goes through these functions.
#pragma once

#include <cstdint>
#include <initializer_list>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker {

/// A number, and while tracing the recorded scalar that it comes from.
class Size {
 public:
  Size(std::int64_t value) : value_(value) {}  // NOLINT: constants are sizes too

  static Size of(const at::Tensor& tensor, std::int64_t axis);

  /// An element of an int64 vector on the CPU, which inputs of a graph may hold.
  static Size element(const at::Tensor& vector, std::int64_t index);

  std::int64_t value() const { return value_; }
  const at::Tensor& recorded() const { return recorded_; }  ///< undefined for a constant

  friend Size operator*(const Size& a, const Size& b);
  friend Size operator+(const Size& a, const Size& b);

 private:
  Size(std::int64_t value, at::Tensor recorded) : value_(value), recorded_(std::move(recorded)) {}

  std::int64_t value_;
  at::Tensor recorded_;
};

using Sizes = std::initializer_list<Size>;

// LibTorch's functions of the same names, given sizes that a trace follows.
at::Tensor expand(const at::Tensor& tensor, Sizes sizes);
at::Tensor unflatten(const at::Tensor& tensor, std::int64_t axis, Sizes sizes);
at::Tensor narrow(const at::Tensor& tensor, std::int64_t axis, const Size& start, const Size& length);
at::Tensor ones(Sizes sizes, const at::TensorOptions& options);
at::Tensor arange(const Size& end, const at::TensorOptions& options);

/// Bilinear, pixel centres at half pixels.
at::Tensor resize_map(const at::Tensor& map, const Size& height, const Size& width);

}  // namespace deformdiff::worker
