// linear, conv2d, matmul and attention_scores.
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"
#include "oracles/operations/product_evaluator.h"
#include "oracles/operations/winograd.h"

namespace deformdiff::operation {
namespace {

std::int64_t leading(const Shape& shape) {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

template <typename T, std::int64_t kAtOnce>
void pack_contiguous(const T* from, Packed<T, kAtOnce>& packed) {
  for (std::int64_t i = 0; i < packed.vectors(); ++i) {
    for (std::int64_t k = 0; k < packed.length(); ++k) packed.set(i, k, *from++);
  }
}

template <typename T>
class Linear : public ProductEvaluator<T> {
 public:
  Linear(const Case& c, const Setting& setting)
      : ProductEvaluator<T>(setting, output_shape(c), 1, leading(c.input("x").shape()),
                            c.input("weight").dim(0), c.input("weight").dim(1),
                            c.find_input("bias") != nullptr),
        x_(floats<T>(c, "x")),
        weight_(floats<T>(c, "weight")) {
    if (c.find_input("bias") == nullptr) return;
    bias_ = floats<T>(c, "bias");
    require(bias_.size() == static_cast<std::size_t>(c.input("weight").dim(0)), c, "bias must be [N]");
  }

 private:
  static Shape output_shape(const Case& c) {
    Shape shape = c.input("x").shape();
    const Shape& weight = c.input("weight").shape();
    require(!shape.empty() && weight.size() == 2 && weight[1] == shape.back(), c,
            "x [.., K], weight [N, K] wanted");
    shape.back() = weight[0];
    return shape;
  }
  void pack_rows(std::int64_t /*group*/, std::int64_t first, PackedRows<T>& packed) const override {
    pack_contiguous(x_.data() + first * this->length(), packed);
  }
  void pack_columns(std::int64_t /*group*/, std::int64_t first, PackedColumns<T>& packed) const override {
    pack_contiguous(weight_.data() + first * this->length(), packed);
  }
  T bias(std::int64_t /*row*/, std::int64_t column) const override {
    return bias_.empty() ? T(0) : bias_[static_cast<std::size_t>(column)];
  }
  std::span<const T> x_, weight_, bias_;
};

template <typename T>
class Matmul : public ProductEvaluator<T> {
 public:
  Matmul(const Case& c, const Setting& setting)
      : ProductEvaluator<T>(setting, output_shape(c), c.input("a").dim(0), c.input("a").dim(1),
                            c.input("b").dim(2), c.input("b").dim(1), false),
        a_(floats<T>(c, "a")),
        b_(floats<T>(c, "b")) {}

 private:
  static Shape output_shape(const Case& c) {
    const Shape& a = c.input("a").shape();
    const Shape& b = c.input("b").shape();
    require(a.size() == 3 && b.size() == 3 && a[0] == b[0] && a[2] == b[1], c,
            "a [G, N, K], b [G, K, M] wanted");
    return {a[0], a[1], b[2]};
  }
  void pack_rows(std::int64_t group, std::int64_t first, PackedRows<T>& packed) const override {
    pack_contiguous(a_.data() + (group * this->shape_[1] + first) * this->length(), packed);
  }
  void pack_columns(std::int64_t group, std::int64_t first, PackedColumns<T>& packed) const override {
    const std::int64_t stride = this->shape_[2];
    const T* from = b_.data() + group * this->length() * stride + first;
    for (std::int64_t k = 0; k < this->length(); ++k, from += stride) {
      for (std::int64_t i = 0; i < packed.vectors(); ++i) packed.set(i, k, from[i]);
    }
  }
  std::span<const T> a_, b_;
};

template <typename T>
class AttentionScores : public ProductEvaluator<T> {
 public:
  AttentionScores(const Case& c, const Setting& setting)
      : ProductEvaluator<T>(setting, output_shape(c), c.input("q").dim(0), c.input("q").dim(1),
                            c.input("k").dim(1), c.input("q").dim(2), false),
        q_(floats<T>(c, "q")),
        k_(floats<T>(c, "k")) {
    if (c.find_input("mask") == nullptr) return;
    mask_ = booleans(c, "mask");
    require(c.input("mask").shape() == this->shape_, c, "mask must be [G, Q, K]");
  }

 private:
  static Shape output_shape(const Case& c) {
    const Shape& q = c.input("q").shape();
    const Shape& k = c.input("k").shape();
    require(q.size() == 3 && k.size() == 3 && q[0] == k[0] && q[2] == k[2], c,
            "q [G, Q, D], k [G, K, D] wanted");
    return {q[0], q[1], k[1]};
  }
  void pack_rows(std::int64_t group, std::int64_t first, PackedRows<T>& packed) const override {
    pack_contiguous(q_.data() + (group * this->shape_[1] + first) * this->length(), packed);
  }
  void pack_columns(std::int64_t group, std::int64_t first, PackedColumns<T>& packed) const override {
    pack_contiguous(k_.data() + (group * this->shape_[2] + first) * this->length(), packed);
  }
  bool blocked(std::int64_t group, std::int64_t row, std::int64_t column) const override {
    return !mask_.empty() &&
           mask_[static_cast<std::size_t>((group * this->shape_[1] + row) * this->shape_[2] + column)] != 0;
  }
  std::span<const T> q_, k_;
  std::span<const std::uint8_t> mask_;
};

/// Rows are output channels, columns pixels, K runs over input channels and taps; padding gives zeros. Where
/// Winograd's transforms are declared, an element is also what these may make of it.
template <typename T>
class Conv2d : public ProductEvaluator<T> {
 public:
  Conv2d(const Case& c, const Setting& setting)
      : ProductEvaluator<T>(setting, output_shape(c), c.input("x").dim(0), c.input("weight").dim(0),
                            output_shape(c)[2] * output_shape(c)[3], taps(c),
                            c.find_input("bias") != nullptr),
        x_(floats<T>(c, "x")),
        weight_(floats<T>(c, "weight")),
        channels_(c.input("x").dim(1)),
        height_(c.input("x").dim(2)),
        width_(c.input("x").dim(3)),
        kernel_height_(c.input("weight").dim(2)),
        kernel_width_(c.input("weight").dim(3)),
        padding_(c.attribute("padding")) {
    if (c.find_input("bias") == nullptr) return;
    bias_ = floats<T>(c, "bias");
    require(bias_.size() == static_cast<std::size_t>(c.input("weight").dim(0)), c, "bias must be [O]");
  }

  void prepare(int threads) override {
    ProductEvaluator<T>::prepare(threads);
    const Convolutions how = this->setting().convolutions;
    if (how == Convolutions::kDirect || kernel_height_ != 3 || kernel_width_ != 3) return;
    const Shape& shape = this->shape();
    winograd_ =
        WinogradSums(how, {shape[0], channels_, height_, width_, shape[1], padding_}, x_, weight_, threads);
    this->roundings_ += winograd_.roundings();
  }

 private:
  /// Sums of larger magnitudes, with the same bounds.
  void widen(std::int64_t image, std::int64_t row, std::int64_t column, Element<T>& out) const override {
    if (winograd_.empty()) return;
    const double shift = std::abs(static_cast<double>(bias(row, column)));
    const double magnitude = winograd_.magnitude(image, row, column) + shift;
    const double lost = this->lost_in_sums(winograd_.roundings()) * magnitude;
    if (!(magnitude + lost <= this->setting().matrix.largest_sum)) return admit_anything(out);
    if (out.admits != kAdmitsFinite) return;
    out.magnitude = std::max(out.magnitude, magnitude);
    out.terms[kAccumulation] = std::max(out.terms[kAccumulation], lost);
    out.terms[kUnderflow] += winograd_.underflows(image) * (this->underflow() + this->flush());
  }
  static std::int64_t taps(const Case& c) {
    const Shape& weight = c.input("weight").shape();
    return weight[1] * weight[2] * weight[3];
  }
  static Shape output_shape(const Case& c) {
    const Shape& x = c.input("x").shape();
    const Shape& weight = c.input("weight").shape();
    require(x.size() == 4 && weight.size() == 4 && weight[1] == x[1], c,
            "x [B, I, H, W], weight [O, I, kh, kw] wanted");
    const std::int64_t both = 2 * c.attribute("padding");
    require(x[2] + both >= weight[2] && x[3] + both >= weight[3], c,
            "the kernel is larger than the padded map");
    return {x[0], weight[0], x[2] + both - weight[2] + 1, x[3] + both - weight[3] + 1};
  }
  void pack_rows(std::int64_t /*group*/, std::int64_t first, PackedRows<T>& packed) const override {
    pack_contiguous(weight_.data() + first * this->length(), packed);
  }
  void pack_columns(std::int64_t group, std::int64_t first, PackedColumns<T>& packed) const override {
    const T* map = x_.data() + group * channels_ * height_ * width_;
    const std::int64_t out_width = this->shape_[3];
    std::int64_t k = 0;
    for (std::int64_t channel = 0; channel < channels_; ++channel, map += height_ * width_) {
      for (std::int64_t ky = 0; ky < kernel_height_; ++ky) {
        for (std::int64_t kx = 0; kx < kernel_width_; ++kx, ++k) {
          std::int64_t y = first / out_width + ky - padding_, column = first % out_width;
          for (std::int64_t i = 0; i < packed.vectors(); ++i) {
            const std::int64_t x = column + kx - padding_;
            if (y >= 0 && y < height_ && x >= 0 && x < width_) packed.set(i, k, map[y * width_ + x]);
            if (++column == out_width) {
              column = 0;
              ++y;
            }
          }
        }
      }
    }
  }
  T bias(std::int64_t row, std::int64_t /*column*/) const override {
    return bias_.empty() ? T(0) : bias_[static_cast<std::size_t>(row)];
  }
  std::span<const T> x_, weight_, bias_;
  std::int64_t channels_, height_, width_, kernel_height_, kernel_width_, padding_;
  WinogradSums winograd_;
};

}  // namespace

OperationTable products_operations() {
  return {{"linear", oracle_of<Linear>},
          {"matmul", oracle_of<Matmul>},
          {"attention_scores", oracle_of<AttentionScores>},
          {"conv2d", oracle_of<Conv2d>}};
}

}  // namespace deformdiff::operation
