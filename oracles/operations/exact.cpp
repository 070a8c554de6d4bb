// Operations that move, drop or clear elements and never round: relu, copy, constant, concat, mask_rows,
// unblock_rows.
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

#include <cstring>

#include <fmt/format.h>

namespace deformdiff::operation {
namespace {

/// Elements of a contiguous tensor of any dtype, as doubles.
class Reader {
 public:
  explicit Reader(const Tensor& tensor) : tensor_(tensor) { DEFORMDIFF_CHECK(tensor.is_contiguous()); }

  double operator[](std::int64_t index) const {
    switch (tensor_.dtype()) {
      case DType::kFloat32:
        return tensor_.storage_as<float>()[index];
      case DType::kFloat64:
        return tensor_.storage_as<double>()[index];
      case DType::kInt64:
        return static_cast<double>(tensor_.storage_as<std::int64_t>()[index]);
      case DType::kBool:
      case DType::kUInt8:
        return tensor_.storage_as<std::uint8_t>()[index];
      default:
        return tensor_.element(index);
    }
  }

 private:
  const Tensor& tensor_;
};

Setting exact_setting() {
  return {rounding_of(DType::kFloat64, {}), Variance::kAny, {}};
}

/// Evaluated in double, whatever the dtype.
template <typename T>
class Exact : public Elementwise<T> {
 public:
  static DType computes_in(const Case& /*c*/) { return DType::kFloat64; }

 protected:
  Exact(DType dtype, Shape shape) : Elementwise<T>(exact_setting(), std::move(shape), 0) {
    this->dtype_ = dtype;
    this->exact_in_double_ = true;
  }
};

template <typename T>
class Relu : public Exact<T> {
 public:
  Relu(const Case& c, const Setting& /*setting*/)
      : Exact<T>(c.input("x").dtype(), c.input("x").shape()), x_(c.input("x")) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const double x = x_[index];
    demand<T>(x < 0 ? 0 : x, out);
    if (x < 0) out.magnitude = std::min(-x, std::numeric_limits<double>::max());
  }
  Reader x_;
};

template <typename T>
class Copy : public Exact<T> {
 public:
  Copy(const Case& c, const Setting& /*setting*/)
      : Exact<T>(c.input("x").dtype(), c.input("x").shape()), x_(c.input("x")) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override { demand<T>(x_[index], out); }
  Reader x_;
};

DType dtype_of_constant(const Case& c) {
  return c.number("bits") == 0 ? DType::kInt64 : dtype_of_bits(c);
}

template <typename T>
class Constant : public Exact<T> {
 public:
  Constant(const Case& c, const Setting& /*setting*/)
      : Exact<T>(dtype_of_constant(c), {c.attribute("count")}) {
    for (std::int64_t i = 0; i < c.attribute("count"); ++i)
      values_.push_back(c.number(fmt::format("v{}", i)));
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    demand<T>(values_[static_cast<std::size_t>(index)], out);
  }
  std::vector<double> values_;
};

std::vector<const Tensor*> numbered_inputs(const Case& c) {
  std::vector<const Tensor*> found;
  while (const Tensor* next = c.find_input(fmt::format("x{}", found.size()))) found.push_back(next);
  require(!found.empty(), c, "no input x0");
  return found;
}

Shape joined_shape(const Case& c) {
  const auto parts = numbered_inputs(c);
  const auto axis = static_cast<std::size_t>(c.attribute("axis"));
  Shape shape = parts[0]->shape();
  require(axis < shape.size(), c, "axis is not one of x0's");
  shape[axis] = 0;
  for (const Tensor* part : parts) {
    Shape rest = part->shape();
    require(rest.size() == shape.size(), c, "inputs of different rank");
    const std::int64_t length = std::exchange(rest[axis], shape[axis]);
    require(rest == shape && part->dtype() == parts[0]->dtype(), c, "inputs that do not fit each other");
    shape[axis] += length;
  }
  return shape;
}

template <typename T>
class Concat : public Exact<T> {
 public:
  Concat(const Case& c, const Setting& /*setting*/) : Exact<T>(c.input("x0").dtype(), joined_shape(c)) {
    const auto axis = static_cast<std::size_t>(c.attribute("axis"));
    for (std::size_t i = axis + 1; i < this->shape_.size(); ++i) inner_ *= this->shape_[i];
    length_ = this->shape_[axis];
    for (const Tensor* part : numbered_inputs(c)) {
      parts_.emplace_back(*part);
      lengths_.push_back(part->dim(axis));
    }
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const std::int64_t outer = index / (length_ * inner_);
    std::int64_t along = index / inner_ % length_;
    std::size_t part = 0;
    while (along >= lengths_[part]) along -= lengths_[part++];
    demand<T>(parts_[part][(outer * lengths_[part] + along) * inner_ + index % inner_], out);
  }
  std::vector<Reader> parts_;
  std::vector<std::int64_t> lengths_;
  std::int64_t length_ = 0, inner_ = 1;
};

template <typename T>
class MaskRows : public Exact<T> {
 public:
  MaskRows(const Case& c, const Setting& /*setting*/)
      : Exact<T>(c.input("x").dtype(), c.input("x").shape()), x_(c.input("x")) {
    if (c.find_input("mask") == nullptr) return;
    mask_ = booleans(c, "mask");
    require(c.input("x").shape().size() >= 2, c, "x has fewer than two axes");
    require(c.input("mask").shape() == Shape{c.input("x").dim(0), c.input("x").dim(1)}, c,
            "mask must have x's first two extents");
    for (std::size_t i = 2; i < this->shape_.size(); ++i) inner_ *= this->shape_[i];
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const double x = x_[index];
    if (mask_.empty() || mask_[static_cast<std::size_t>(index / inner_)] == 0) return demand<T>(x, out);
    // Filled with zero, or multiplied by it.
    if (!std::isfinite(x)) {
      out.admits = kAdmitsFinite | kAdmitsNan;
    } else {
      out.magnitude = std::abs(x);
    }
  }
  Reader x_;
  std::span<const std::uint8_t> mask_;
  std::int64_t inner_ = 1;
};

template <typename T>
class UnblockRows : public Exact<T> {
 public:
  UnblockRows(const Case& c, const Setting& /*setting*/)
      : Exact<T>(DType::kBool, c.input("mask").shape()), mask_(booleans(c, "mask")) {
    require(!this->shape_.empty(), c, "mask has no axis");
  }
  void prepare(int /*threads*/) override {
    const auto length = static_cast<std::size_t>(this->shape_.back());
    if (length == 0) return;
    for (std::size_t row = 0; row < mask_.size(); row += length) {
      blocked_.push_back(std::memchr(mask_.data() + row, 0, length) == nullptr);
    }
  }
  std::int64_t working_memory() const override { return static_cast<std::int64_t>(mask_.size() / 8); }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const bool all = blocked_[static_cast<std::size_t>(index / this->shape_.back())];
    demand<T>(!all && mask_[static_cast<std::size_t>(index)] != 0 ? 1 : 0, out);
  }
  std::span<const std::uint8_t> mask_;
  std::vector<bool> blocked_;
};

}  // namespace

const Oracle& relu() {
  return oracle_of<Relu>();
}
const Oracle& copy() {
  return oracle_of<Copy>();
}
const Oracle& constant() {
  return oracle_of<Constant>();
}
const Oracle& concat() {
  return oracle_of<Concat>();
}
const Oracle& mask_rows() {
  return oracle_of<MaskRows>();
}
const Oracle& unblock_rows() {
  return oracle_of<UnblockRows>();
}

}  // namespace deformdiff::operation
