// add, scale and mean_heads.
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

namespace deformdiff::operation {
namespace {

/// The shape that `a` and `b` broadcast to.
Shape broadcast(const Case& c, const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape shape(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t x = i + a.size() < rank ? 1 : a[i + a.size() - rank];
    const std::int64_t y = i + b.size() < rank ? 1 : b[i + b.size() - rank];
    require(x == y || x == 1 || y == 1, c, "a and b do not broadcast");
    shape[i] = x == 1 ? y : x;
  }
  return shape;
}

/// Where the elements of a broadcast operand lie.
class Broadcast {
 public:
  Broadcast(const Shape& operand, const Shape& shape)
      : same_(operand == shape), shape_(shape), strides_(shape.size(), 0) {
    std::int64_t stride = 1;
    for (std::size_t i = operand.size(); i-- > 0;) {
      if (operand[i] != 1) strides_[i + shape.size() - operand.size()] = stride;
      stride *= operand[i];
    }
  }
  std::size_t operator()(std::int64_t index) const {
    if (same_) return static_cast<std::size_t>(index);
    std::int64_t at = 0;
    for (std::size_t i = shape_.size(); i-- > 0 && index > 0; index /= shape_[i]) {
      at += index % shape_[i] * strides_[i];
    }
    return static_cast<std::size_t>(at);
  }

 private:
  bool same_;
  Shape shape_, strides_;
};

template <typename T>
class Add : public Elementwise<T> {
 public:
  Add(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, broadcast(c, c.input("a").shape(), c.input("b").shape()), 2),
        a_(floats<T>(c, "a")),
        b_(floats<T>(c, "b")),
        at_a_(c.input("a").shape(), this->shape_),
        at_b_(c.input("b").shape(), this->shape_) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const T a = a_[at_a_(index)], b = b_[at_b_(index)];
    if (!std::isfinite(a) || !std::isfinite(b)) return demand<T>(a + b, out);
    out.value = static_cast<Wide<T>>(a) + b;
    out.magnitude = static_cast<double>(std::abs(static_cast<Wide<T>>(a)) + std::abs(b));
    out.terms[kRounding] = this->unit() * first_place(static_cast<double>(std::abs(out.value)));
    if (is_exact(a, b)) out.terms[kRounding] = 0;
    if (out.magnitude > 0) out.terms[kUnderflow] = 3 * this->flush();  // of both operands, and the result
  }
  /// TwoSum (Higham 4.3): the sum's rounding error, exactly.
  static bool is_exact(T a, T b) {
    const T sum = a + b, part = sum - a;
    return (a - (sum - part)) + (b - part) == 0;
  }
  std::span<const T> a_, b_;
  Broadcast at_a_, at_b_;
};

/// x times a rounded reciprocal of a rounded square root; or divided by that; or by a factor rounded once.
template <typename T>
class Scale : public Elementwise<T> {
 public:
  Scale(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, c.input("x").shape(), 4),
        x_(floats<T>(c, "x")),
        root_(std::sqrt(static_cast<Wide<T>>(c.number("head_dim")))) {
    const auto root = static_cast<double>(root_);
    const bool whole = root * root == c.number("head_dim");
    roundings_ = whole && is_power_of_two(root) ? 0 : whole ? 2.5 : 3;
    require(root > 0, c, "head_dim must be positive");
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const T x = x_[static_cast<std::size_t>(index)];
    if (!std::isfinite(x)) return demand<T>(x, out);
    out.value = x / root_;
    out.magnitude = std::abs(static_cast<double>(x));
    if (roundings_ == 0 && fits<T>(out.value, this->rounding()) && this->flush() == 0) return;
    out.terms[kRounding] = roundings_ * this->unit() * std::abs(static_cast<double>(out.value));
    if (x != 0) out.terms[kUnderflow] = 2 * this->underflow();
  }
  std::span<const T> x_;
  Wide<T> root_;
  double roundings_;
};

Shape mean_shape(const Case& c) {
  Shape shape = c.input("x").shape();
  const std::int64_t heads = c.attribute("heads");
  require(!shape.empty() && heads > 0 && shape[0] % heads == 0, c, "heads must divide the first extent");
  shape[0] /= heads;
  return shape;
}

/// heads - 1 additions, and a division by the number or a multiplication by its rounded reciprocal.
template <typename T>
class MeanHeads : public Elementwise<T> {
 public:
  MeanHeads(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, mean_shape(c), static_cast<double>(c.attribute("heads")) + 2),
        x_(floats<T>(c, "x")),
        heads_(c.attribute("heads")) {
    for (std::size_t i = 1; i < this->shape_.size(); ++i) inner_ *= this->shape_[i];
  }

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    Wide<T> sum = 0, magnitude = 0;
    T kinds = 0;
    double terms = 0;
    const std::int64_t first = index / inner_ * heads_ * inner_ + index % inner_;
    for (std::int64_t head = 0; head < heads_; ++head) {
      const T x = x_[static_cast<std::size_t>(first + head * inner_)];
      if (!std::isfinite(x)) kinds += x;
      sum += x;
      magnitude += std::abs(x);
      terms += x != 0 ? 1 : 0;
    }
    if (kinds != 0) return demand<T>(kinds, out);
    const auto heads = static_cast<double>(heads_);
    out.value = sum / heads;
    out.magnitude = static_cast<double>(magnitude);
    const double mean = out.magnitude / heads;
    out.terms[kAccumulation] = std::max(0.0, terms - 1) * this->unit() * mean;
    if (!is_power_of_two(heads)) out.terms[kRounding] = 2 * this->unit() * mean;
    if (terms > 0) out.terms[kUnderflow] = 2 * this->underflow() + 2 * this->flush();
  }
  std::span<const T> x_;
  std::int64_t heads_, inner_ = 1;
};

}  // namespace

OperationTable elementwise_operations() {
  return {{"add", oracle_of<Add>}, {"scale", oracle_of<Scale>}, {"mean_heads", oracle_of<MeanHeads>}};
}

}  // namespace deformdiff::operation
