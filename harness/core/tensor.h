// A host tensor as plain data: bytes, and the strided view of them that an implementation is given.
#pragma once

#include "core/dtype.h"
#include "core/error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

using Shape = std::vector<std::int64_t>;

/// Product of the extents; 1 for a scalar.
std::int64_t element_count(const Shape& shape);

/// Row-major strides, in elements.
Shape contiguous_strides(const Shape& shape);

/// An immutable strided tensor over shared storage. Copying is cheap. Strides and offset are in elements;
/// strides are never negative and may be 0 (an expanded axis). The storage may hold elements that the view
/// does not reach, as it does for a slice of a larger tensor: they are part of the value.
class Tensor {
 public:
  using Bytes = std::vector<std::byte>;

  Tensor() = default;

  /// Contiguous. Throws InputError if `bytes` has not exactly the size that dtype and shape need.
  Tensor(DType dtype, Shape shape, Bytes bytes);

  /// Strided. Throws InputError if an index inside `shape` leaves the storage, or a stride or the offset is
  /// negative.
  Tensor(DType dtype, Shape shape, Shape strides, std::int64_t offset, std::shared_ptr<const Bytes> storage);

  /// Contiguous, from values of the matching C++ type (float, double, std::int64_t).
  template <typename T>
  static Tensor of(DType dtype, Shape shape, std::span<const T> values) {
    DEFORMDIFF_CHECK(sizeof(T) == size_of(dtype));
    const auto raw = std::as_bytes(values);
    return Tensor(dtype, std::move(shape), Bytes(raw.begin(), raw.end()));
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  std::int64_t offset() const { return offset_; }
  std::int64_t elements() const { return elements_; }
  std::int64_t dim(std::size_t axis) const { return shape_.at(axis); }
  bool is_contiguous() const;  ///< row-major, offset 0, and no storage beyond the view

  std::span<const std::byte> storage() const;
  const std::shared_ptr<const Bytes>& shared_storage() const { return storage_; }

  /// First element of the storage (not of the view: add offset()). Requires sizeof(T) == size_of(dtype()).
  template <typename T>
  const T* storage_as() const {
    DEFORMDIFF_CHECK(sizeof(T) == size_of(dtype_));
    return reinterpret_cast<const T*>(storage().data());
  }

  /// The elements of a contiguous tensor.
  template <typename T>
  std::span<const T> values() const {
    DEFORMDIFF_CHECK(is_contiguous());
    return {storage_as<T>(), static_cast<std::size_t>(elements_)};
  }

  /// The same elements, row-major in storage of exactly their size; *this if it already is.
  Tensor contiguous() const;

  /// Row-major element `index` of any numeric dtype, widened (float16 and bfloat16 included). Slow: for
  /// reports and tests.
  double element(std::int64_t index) const;

  /// Same dtype, shape, strides, offset and storage bytes.
  friend bool operator==(const Tensor& a, const Tensor& b);

 private:
  DType dtype_ = DType::kFloat32;
  Shape shape_{0};
  Shape strides_{1};
  std::int64_t offset_ = 0;
  std::int64_t elements_ = 0;
  std::shared_ptr<const Bytes> storage_;
};

/// int64, contiguous.
inline Tensor int64_tensor(Shape shape, const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>(DType::kInt64, std::move(shape), values);
}

struct NamedTensor {
  std::string name;
  Tensor tensor;
  friend bool operator==(const NamedTensor&, const NamedTensor&) = default;
};

/// The first tensor of this name; nullptr if there is none.
const Tensor* find_tensor(std::span<const NamedTensor> tensors, std::string_view name);

/// Converts contiguous data between floating dtypes: exact when widening, to nearest when narrowing.
/// Other dtypes are returned as they are.
Tensor convert(const Tensor& tensor, DType to);

/// "[2, 3, 4]"
std::string to_string(const Shape& shape);

/// "output[0, 3, 7]": the row-major element of a tensor of this name and shape.
std::string element_name(const std::string& tensor, const Shape& shape, std::int64_t element);

}  // namespace deformdiff
