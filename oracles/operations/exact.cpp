// Operations that move, drop or clear elements and never round: relu, copy, constant, concat, mask_rows,
// unblock_rows.
#include "core/number.h"
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

#include <cstring>

#include <fmt/format.h>

namespace deformdiff::operation {
namespace {

/// Elements of a contiguous tensor of any dtype, as doubles.
class Reader {
 public:
  explicit Reader(const Tensor& tensor)
      : dtype_(tensor.dtype()), size_(size_of(dtype_)), data_(tensor.storage().data()) {
    DEFORMDIFF_CHECK(tensor.is_contiguous());
  }
  double operator[](std::int64_t index) const {
    return load_number(dtype_, data_ + static_cast<std::size_t>(index) * size_);
  }

 private:
  DType dtype_;
  std::size_t size_;
  const std::byte* data_;
};

/// Evaluated in double, whatever the dtype of the output.
class Exact : public Elementwise<double> {
 protected:
  Exact(DType dtype, Shape shape) : Elementwise(setting_of(DType::kFloat64, {}), std::move(shape), 0) {
    dtype_ = dtype;
    exact_in_double_ = true;
  }
};

class Relu : public Exact {
 public:
  Relu(const Case& c, const Setting& /*setting*/)
      : Exact(c.input("x").dtype(), c.input("x").shape()), x_(c.input("x")) {}

 private:
  void element(std::int64_t index, Element<double>& out) const override {
    const double x = x_[index];
    demand(x < 0 ? 0 : x, out);
    if (x < 0) out.magnitude = std::min(-x, std::numeric_limits<double>::max());
  }
  Reader x_;
};

class Copy : public Exact {
 public:
  Copy(const Case& c, const Setting& /*setting*/)
      : Exact(c.input("x").dtype(), c.input("x").shape()), x_(c.input("x")) {}

 private:
  void element(std::int64_t index, Element<double>& out) const override { demand(x_[index], out); }
  Reader x_;
};

class Constant : public Exact {
 public:
  Constant(const Case& c, const Setting& setting) : Exact(setting.dtype, {c.attribute("count")}) {
    for (std::int64_t i = 0; i < c.attribute("count"); ++i)
      values_.push_back(c.number(fmt::format("v{}", i)));
  }

 private:
  void element(std::int64_t index, Element<double>& out) const override {
    demand(values_[static_cast<std::size_t>(index)], out);
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

class Concat : public Exact {
 public:
  Concat(const Case& c, const Setting& /*setting*/) : Exact(c.input("x0").dtype(), joined_shape(c)) {
    const auto axis = static_cast<std::size_t>(c.attribute("axis"));
    for (std::size_t i = axis + 1; i < shape_.size(); ++i) inner_ *= shape_[i];
    length_ = shape_[axis];
    for (const Tensor* part : numbered_inputs(c)) {
      parts_.emplace_back(*part);
      lengths_.push_back(part->dim(axis));
    }
  }

 private:
  void element(std::int64_t index, Element<double>& out) const override {
    const std::int64_t outer = index / (length_ * inner_);
    std::int64_t along = index / inner_ % length_;
    std::size_t part = 0;
    while (along >= lengths_[part]) along -= lengths_[part++];
    demand(parts_[part][(outer * lengths_[part] + along) * inner_ + index % inner_], out);
  }
  std::vector<Reader> parts_;
  std::vector<std::int64_t> lengths_;
  std::int64_t length_ = 0, inner_ = 1;
};

class MaskRows : public Exact {
 public:
  MaskRows(const Case& c, const Setting& /*setting*/)
      : Exact(c.input("x").dtype(), c.input("x").shape()), x_(c.input("x")) {
    if (c.find_input("mask") == nullptr) return;
    mask_ = booleans(c, "mask");
    require(c.input("x").shape().size() >= 2, c, "x has fewer than two axes");
    require(c.input("mask").shape() == Shape{c.input("x").dim(0), c.input("x").dim(1)}, c,
            "mask must have x's first two extents");
    for (std::size_t i = 2; i < shape_.size(); ++i) inner_ *= shape_[i];
  }

 private:
  void element(std::int64_t index, Element<double>& out) const override {
    const double x = x_[index];
    if (mask_.empty() || mask_[static_cast<std::size_t>(index / inner_)] == 0) return demand(x, out);
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

class UnblockRows : public Exact {
 public:
  UnblockRows(const Case& c, const Setting& /*setting*/)
      : Exact(DType::kBool, c.input("mask").shape()), mask_(booleans(c, "mask")) {
    require(!shape_.empty(), c, "mask has no axis");
  }
  void prepare(int /*threads*/) override {
    const auto length = static_cast<std::size_t>(shape_.back());
    if (length == 0) return;
    for (std::size_t row = 0; row < mask_.size(); row += length) {
      blocked_.push_back(std::memchr(mask_.data() + row, 0, length) == nullptr);
    }
  }

 private:
  void element(std::int64_t index, Element<double>& out) const override {
    const bool all = blocked_[static_cast<std::size_t>(index / shape_.back())];
    demand(!all && mask_[static_cast<std::size_t>(index)] != 0 ? 1 : 0, out);
  }
  std::span<const std::uint8_t> mask_;
  std::vector<bool> blocked_;
};

/// As oracle_of(), of an evaluator that is the same for every dtype.
template <typename Of>
const Oracle& exact_oracle_of(DType dtype) {
  return with_format(dtype, []<typename T, DType format>() -> const Oracle& {
    static const Operation<Of> instance(kDTypeOf<T>);
    return instance;
  });
}

const Oracle& constant(DType dtype) {
  static const Operation<Constant> integers(DType::kInt64);
  return dtype == DType::kInt64 ? integers : exact_oracle_of<Constant>(dtype);
}

}  // namespace

OperationTable exact_operations() {
  return {{"relu", exact_oracle_of<Relu>},
          {"copy", exact_oracle_of<Copy>},
          {"constant", constant},
          {"concat", exact_oracle_of<Concat>},
          {"mask_rows", exact_oracle_of<MaskRows>},
          {"unblock_rows", exact_oracle_of<UnblockRows>}};
}

}  // namespace deformdiff::operation
