// softmax over the last axis.
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

namespace deformdiff::operation {
namespace {

template <typename T>
class Softmax : public Rowwise<T> {
 public:
  Softmax(const Case& c, const Setting& setting)
      : Rowwise<T>(setting, checked_shape(c), static_cast<double>(c.input("x").shape().back()) + 8),
        x_(floats<T>(c, "x")) {}

  std::vector<std::string> describe(std::int64_t element) const override {
    const T* row = x_.data() + element / this->columns() * this->columns();
    const T largest = *std::max_element(row, row + this->columns());
    return {"logit " + std::to_string(row[element % this->columns()]) + ", largest of its " +
            std::to_string(this->columns()) + ": " + std::to_string(largest)};
  }

  void evaluate(std::int64_t index, Element<T>* out) const override {
    const std::int64_t columns = this->columns();
    const T* row = x_.data() + index * columns;
    T largest = -std::numeric_limits<T>::infinity();
    bool any_nan = false;
    for (std::int64_t i = 0; i < columns; ++i) {
      any_nan = any_nan || std::isnan(row[i]);
      largest = std::max(largest, row[i]);
    }
    if (any_nan || !std::isfinite(largest)) return nonfinite(row, any_nan, out);
    finite(row, largest, out);
  }

 private:
  /// exp(-d) is 0 in T beyond: the rounding of d never counts for more than so many.
  static constexpr double kLargestDifference = sizeof(T) == 4 ? 110 : 750;

  static Shape checked_shape(const Case& c) {
    require(!c.input("x").shape().empty(), c, "x has no axis");
    return c.input("x").shape();
  }

  /// A NaN, a row of -inf, or +inf (without subtracting the largest, the others may be 0).
  void nonfinite(const T* row, bool any_nan, Element<T>* out) const {
    const bool infinite = !any_nan && *std::max_element(row, row + this->columns()) > 0;
    for (std::int64_t i = 0; i < this->columns(); ++i) {
      out[i].admits =
          infinite && !(row[i] > 0 && std::isinf(row[i])) ? kAdmitsNan | kAdmitsFinite : kAdmitsNan;
    }
  }

  /// p_i = exp(d_i) / sum, d_i = x_i - largest. Relative errors of exp(d_i): u |d_i| + 2 p u, and by exp2
  /// what the README derives.
  void finite(const T* row, T largest, Element<T>* out) const {
    const std::int64_t columns = this->columns();
    const double unit = this->unit(), exponential = this->setting_.relative(this->setting_.ulps.exp);
    Wide<T> sum = 0;
    double shifts = 0, terms = 0, flushed = 0;
    for (std::int64_t i = 0; i < columns; ++i) {
      if (row[i] == -std::numeric_limits<T>::infinity()) continue;
      const Wide<T> difference = static_cast<Wide<T>>(row[i]) - largest;
      out[i].value = std::exp(difference);
      sum += out[i].value;
      ++terms;
      const double distance = -static_cast<double>(difference);
      out[i].terms[kTranscendental] =
          exponential + unit * std::max(3 * distance, 2 * distance + std::abs(static_cast<double>(row[i])));
      // An exp below the normal range may be flushed.
      out[i].terms[kUnderflow] = out[i].value < 4 * this->rounding().tiny ? this->rounding().tiny : 0;
      flushed += out[i].terms[kUnderflow];
      shifts += static_cast<double>(out[i].value) * out[i].terms[kTranscendental];
    }
    const auto total = static_cast<double>(sum);
    const double mean_shift = shifts / total;
    const double second_order = second_order_of(largest, exponential);
    const bool alone = terms == 1;
    for (std::int64_t i = 0; i < columns; ++i) {
      if (row[i] == -std::numeric_limits<T>::infinity()) continue;
      Element<T>& element = out[i];
      const auto p = static_cast<double>(element.value / sum);
      const double shift = element.terms[kTranscendental];
      element.value /= sum;
      element.magnitude = p;
      // First order: d p_i / p_i = delta_i - sum of p_j delta_j. No softmax leaves [0, 1].
      const double first_order = p * (shift * (1 - p) + std::max(0.0, mean_shift - p * shift));
      element.terms[kTranscendental] = alone ? 0 : std::min(1.0, second_order * first_order);
      element.terms[kAccumulation] = p * (terms - 1) * unit;
      element.terms[kRounding] = 2 * p * unit;
      element.terms[kUnderflow] = (element.terms[kUnderflow] + p * flushed) / total + this->underflow() +
                                  (p < 4 * this->rounding().tiny ? this->rounding().tiny : 0);
    }
  }

  /// With t the largest relative error of an exp, that of p_i is at most the first order's / (1 - t)^2: the
  /// exp's own, and the sum's that it is divided by. Without a limit from t = 1/4 on.
  double second_order_of(T largest, double exponential) const {
    const double t =
        exponential + this->unit() * (3 * kLargestDifference + std::abs(static_cast<double>(largest)));
    return t < 0.25 ? 1 / (1 - 2 * t) : std::numeric_limits<double>::infinity();
  }

  std::span<const T> x_;
};

}  // namespace

OperationTable softmax_operations() {
  return {{"softmax", oracle_of<Softmax>}};
}

}  // namespace deformdiff::operation
