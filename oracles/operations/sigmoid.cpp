// sigmoid, and threshold.
#include "oracles/operations/sigmoid.h"

#include "oracles/arithmetic/rounding.h"
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

namespace deformdiff::operation {

template <typename T>
void sigmoid_of(T x, const Setting& setting, Element<T>& out) {
  if (std::isnan(x)) return demand<T>(x, out);
  const Rounding& rounding = setting.rounding;
  const Wide<T> decay = std::exp(-std::abs(static_cast<Wide<T>>(x)));
  out.value = (x < 0 ? decay : Wide<T>(1)) / (1 + decay);
  out.magnitude = 1;
  // exp(0) is 1 and tanh(0) is 0 in every library: nothing rounds.
  if (x == 0) return;
  const auto s = static_cast<double>(out.value);
  const auto rest = static_cast<double>((x < 0 ? Wide<T>(1) : decay) / (1 + decay));  // 1 - s
  const double exponential = s * rest * setting.relative(setting.ulps.exp);
  const double hyperbolic = std::abs(s - rest) * setting.relative(setting.ulps.tanh) / 2;
  const double exponential_total = exponential + 2 * rounding.unit * s;
  const double hyperbolic_total = hyperbolic + rounding.unit * s;
  if (exponential_total > hyperbolic_total) {
    out.terms[kTranscendental] = exponential;
    out.terms[kRounding] = 2 * rounding.unit * s;
  } else {
    out.terms[kTranscendental] = hyperbolic;
    out.terms[kRounding] = rounding.unit * s;
  }
  // Below this exp(-x) may be infinite and its reciprocal 0; an exp that is subnormal may be flushed.
  const bool beyond = s < 4 * rounding.tiny;
  out.terms[kUnderflow] =
      (beyond || rest < 4 * rounding.tiny ? rounding.tiny : 0) + (beyond ? s : 0) + rounding.underflow;
}

template void sigmoid_of(float, const Setting&, Element<float>&);
template void sigmoid_of(double, const Setting&, Element<double>&);

namespace {

double longest_path(const Setting& setting) {
  return 8 + 2 * std::max(setting.ulps.exp, setting.ulps.tanh);
}

template <typename T>
class Sigmoid : public Elementwise<T> {
 public:
  Sigmoid(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, c.input("x").shape(), longest_path(setting)), x_(floats<T>(c, "x")) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    sigmoid_of(x_[static_cast<std::size_t>(index)], this->setting_, out);
  }
  std::span<const T> x_;
};

Shape mask_shape(const Case& c) {
  const Shape& logits = c.input("logits").shape();
  require(logits.size() == 4, c, "logits must have four axes");
  return {logits[0] * c.attribute("heads"), logits[1], logits[2] * logits[3]};
}

/// A bit is 1, 0, or free: 1/2 +- 1/2.
template <typename T>
class Threshold : public Elementwise<T> {
 public:
  Threshold(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, mask_shape(c), 0),
        logits_(floats<T>(c, "logits")),
        heads_(c.attribute("heads")),
        batch_(this->shape_[1] * this->shape_[2]),
        threshold_(c.number("threshold")) {
    this->dtype_ = DType::kBool;
    this->exact_in_double_ = true;
  }
  void prepare(int /*threads*/) override {
    bits_.resize(logits_.size());
    for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] = decide(logits_[i]);
  }

 private:
  enum Bit : std::uint8_t { kClear, kSet, kFree };

  Bit decide(T logit) const {
    if (std::isnan(logit)) return kClear;
    Element<T> probability;
    sigmoid_of(logit, this->setting_, probability);
    double bound = fits<T>(threshold_, this->setting_.rounding) ? 0 : this->unit() * std::abs(threshold_);
    for (const double term : probability.terms) bound += term;
    // The factor for the oracle's own rounding is that of every other operation, or more.
    if (bound > 0) bound *= second_order_factor(longest_path(this->setting_), this->unit()) * (1 + 0x1p-8);
    const Wide<T> distance = probability.value - static_cast<Wide<T>>(threshold_);
    if (static_cast<Wide<T>>(std::abs(distance)) > bound) return distance < 0 ? kSet : kClear;
    return bound == 0 ? kClear : kFree;
  }

  void element(std::int64_t index, Element<T>& out) const override {
    const std::int64_t batch = index / batch_ / heads_;
    const Bit bit = bits_[static_cast<std::size_t>(batch * batch_ + index % batch_)];
    out.value = bit == kSet ? 1 : bit == kFree ? 0.5 : 0;
    out.magnitude = 1;
    out.terms[kRounding] = bit == kFree ? 0.5 : 0;
  }
  std::span<const T> logits_;
  std::int64_t heads_, batch_;
  double threshold_;
  std::vector<Bit> bits_;
};

}  // namespace

OperationTable sigmoid_operations() {
  return {{"sigmoid", oracle_of<Sigmoid>}, {"threshold", oracle_of<Threshold>}};
}

}  // namespace deformdiff::operation
