#include "core/tensor.h"

#include "core/number.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// Elements of storage that a view needs, counted from its first; 0 for an empty view. Throws InputError
/// where a stride is negative or the extent overflows.
std::int64_t elements_spanned(const Shape& shape, const Shape& strides) {
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < 0) throw InputError(fmt::format("shape {} has a negative extent", to_string(shape)));
    if (strides[axis] < 0) throw InputError(fmt::format("strides {} are negative", to_string(strides)));
  }
  if (element_count(shape) == 0) return 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(shape[axis] - 1, strides[axis], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      throw InputError(
          fmt::format("shape {} with strides {} is too large", to_string(shape), to_string(strides)));
    }
  }
  return last + 1;
}

/// Calls visit(storage index) for the first element of every run of trailing axes, `axes` left, in row-major
/// order.
template <typename Visit>
void for_each_run(const Shape& shape, const Shape& strides, std::size_t axes, std::int64_t offset,
                  Visit visit) {
  Shape index(axes, 0);
  std::int64_t at = offset;
  while (true) {
    visit(at);
    std::size_t axis = axes;
    while (axis > 0) {
      --axis;
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (axes == 0) return;
  }
}

/// Appends elements of sizeof(Word) bytes in row-major order, run by run: the trailing axes that lie evenly
/// spaced are one.
template <typename Word>
void gather(const Shape& shape, const Shape& strides, std::int64_t offset, const std::byte* from,
            std::byte* to) {
  constexpr std::int64_t kSize = sizeof(Word);
  std::size_t axes = shape.size();
  std::int64_t run = 1, step = 1;
  for (; axes > 0; --axes) {
    const std::int64_t extent = shape[axes - 1], stride = strides[axes - 1];
    if (extent == 1) continue;
    if (run == 1) {
      step = stride;
    } else if (stride != step * run) {
      break;
    }
    run *= extent;
  }
  for_each_run(shape, strides, axes, offset, [&](std::int64_t at) {
    if (step == 1) {
      std::memcpy(to, from + at * kSize, static_cast<std::size_t>(run * kSize));
    } else {
      for (std::int64_t i = 0; i < run; ++i)
        std::memcpy(to + i * kSize, from + (at + i * step) * kSize, sizeof(Word));
    }
    to += run * kSize;
  });
}

}  // namespace

std::int64_t element_count(const Shape& shape) {
  // Extents beside a zero are counted too: their strides must not overflow.
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, std::max<std::int64_t>(extent, 1), &count)) {
      throw InputError(fmt::format("shape {} is negative or too large", to_string(shape)));
    }
    empty = empty || extent == 0;
  }
  return empty ? 0 : count;
}

Shape contiguous_strides(const Shape& shape) {
  element_count(shape);  // refuses extents whose product overflows
  Shape strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    step *= std::max<std::int64_t>(shape[axis], 1);
  }
  return strides;
}

Tensor::Tensor(DType dtype, Shape shape, Bytes bytes)
    : dtype_(dtype),
      shape_(std::move(shape)),
      strides_(contiguous_strides(shape_)),
      elements_(element_count(shape_)),
      storage_(std::make_shared<const Bytes>(std::move(bytes))) {
  if (storage_->size() / size_of(dtype_) != static_cast<std::size_t>(elements_) ||
      storage_->size() % size_of(dtype_) != 0) {
    throw InputError(fmt::format("{} bytes given for a {} tensor of shape {}", storage_->size(),
                                 name_of(dtype_), to_string(shape_)));
  }
}

Tensor::Tensor(DType dtype, Shape shape, Shape strides, std::int64_t offset,
               std::shared_ptr<const Bytes> storage)
    : dtype_(dtype),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      offset_(offset),
      elements_(element_count(shape_)),
      storage_(std::move(storage)) {
  if (strides_.size() != shape_.size()) {
    throw InputError(fmt::format("{} strides given for shape {}", strides_.size(), to_string(shape_)));
  }
  const std::int64_t needed = elements_spanned(shape_, strides_);
  const auto held = static_cast<std::int64_t>(storage_->size() / size_of(dtype_));
  if (offset_ < 0 || storage_->size() % size_of(dtype_) != 0 || needed > held || offset_ > held - needed) {
    throw InputError(
        fmt::format("a {} view of shape {}, strides {}, offset {} leaves its storage of {} bytes",
                    name_of(dtype_), to_string(shape_), to_string(strides_), offset_, storage_->size()));
  }
}

bool Tensor::is_contiguous() const {
  if (offset_ != 0 || storage().size() != static_cast<std::size_t>(elements_) * size_of(dtype_)) return false;
  if (elements_ == 0) return true;
  std::int64_t step = 1;
  for (std::size_t axis = shape_.size(); axis-- > 0;) {
    if (shape_[axis] > 1 && strides_[axis] != step) return false;
    step *= shape_[axis];
  }
  return true;
}

std::span<const std::byte> Tensor::storage() const {
  return storage_ ? std::span<const std::byte>(*storage_) : std::span<const std::byte>();
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  const std::size_t size = size_of(dtype_);
  Bytes bytes(static_cast<std::size_t>(elements_) * size);
  if (elements_ > 0) {
    const auto copy = size == 1   ? gather<std::uint8_t>
                      : size == 2 ? gather<std::uint16_t>
                      : size == 4 ? gather<std::uint32_t>
                                  : gather<std::uint64_t>;
    copy(shape_, strides_, offset_, storage().data(), bytes.data());
  }
  return Tensor(dtype_, shape_, std::move(bytes));
}

double Tensor::element(std::int64_t index) const {
  std::int64_t at = offset_;
  for (std::size_t axis = shape_.size(); axis-- > 0;) {
    at += index % shape_[axis] * strides_[axis];
    index /= shape_[axis];
  }
  return load_number(dtype_, storage().data() + at * static_cast<std::int64_t>(size_of(dtype_)));
}

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.dtype_ != b.dtype_ || a.shape_ != b.shape_ || a.strides_ != b.strides_ || a.offset_ != b.offset_)
    return false;
  const auto left = a.storage();
  const auto right = b.storage();
  return left.size() == right.size() &&
         (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

Tensor convert(const Tensor& tensor, DType to) {
  if (tensor.dtype() == to || !is_floating(tensor.dtype()) || !is_floating(to)) return tensor;
  const Tensor from = tensor.contiguous();
  const auto elements = static_cast<std::size_t>(from.elements());
  Tensor::Bytes bytes(elements * size_of(to));
  const std::size_t size = size_of(from.dtype()), to_size = size_of(to);
  if (is_sixteen_bits(from.dtype()) && to == DType::kFloat32) {
    widen(from.dtype(), from.storage_as<std::uint16_t>(), elements, reinterpret_cast<float*>(bytes.data()));
    return Tensor(to, from.shape(), std::move(bytes));
  }
  for (std::size_t i = 0; i < elements; ++i) {
    store_number(load_number(from.dtype(), from.storage().data() + i * size), to, bytes.data() + i * to_size);
  }
  return Tensor(to, from.shape(), std::move(bytes));
}

const Tensor* find_tensor(std::span<const NamedTensor> tensors, std::string_view name) {
  for (const NamedTensor& each : tensors) {
    if (each.name == name) return &each.tensor;
  }
  return nullptr;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string element_name(const std::string& tensor, const Shape& shape, std::int64_t element) {
  Shape index(shape.size());
  for (std::size_t axis = index.size(); axis-- > 0;) {
    index[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return tensor + to_string(index);
}

}  // namespace deformdiff
