// gelu, the one with the error function. The derivation is in oracles/README.md, "Operations".
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

#include <numbers>

namespace deformdiff::operation {
namespace {

/// More than any path has, the second order of the argument's error included: z^2 roundings of exp(-z^2).
constexpr double kLongestPath = 512;

template <typename T>
class Gelu : public Elementwise<T> {
 public:
  Gelu(const Case& c, const Setting& setting)
      : Elementwise<T>(setting, c.input("x").shape(), kLongestPath + 2 * setting.ulps.erf),
        x_(floats<T>(c, "x")) {}

 private:
  void element(std::int64_t index, Element<T>& out) const override {
    const T x = x_[static_cast<std::size_t>(index)];
    if (std::isnan(x)) return demand<T>(x, out);
    if (std::isinf(x)) {
      // -inf times an exact 0 is NaN; a library may know better.
      out.admits = x > 0 ? kAdmitsPlusInf : kAdmitsNan | kAdmitsFinite;
      return;
    }
    const Wide<T> z = static_cast<Wide<T>>(x) / std::numbers::sqrt2_v<Wide<T>>;
    const Wide<T> twice = std::erfc(-z);  // 1 + erf(z)
    out.value = static_cast<Wide<T>>(x) / 2 * twice;
    const double size = std::abs(static_cast<double>(x)), half = size / 2;
    out.magnitude = size;
    // erf(0) is 0 in every library: nothing rounds.
    if (x == 0) return;
    const auto argument = static_cast<double>(z), sum = static_cast<double>(twice);
    const double slope = 2 * std::numbers::inv_sqrtpi * std::exp(-argument * argument);
    const double function = std::max(std::abs(static_cast<double>(std::erf(z))), sum);
    out.terms[kTranscendental] = half * function * this->setting_.relative(this->setting_.ulps.erf);
    out.terms[kRounding] = half * this->unit() * (2 * std::abs(argument) * slope + 2 * sum);
    out.terms[kUnderflow] = (3 + size) * (this->underflow() + this->flush());
  }
  std::span<const T> x_;
};

}  // namespace

OperationTable gelu_operations() {
  return {{"gelu", oracle_of<Gelu>}};
}

}  // namespace deformdiff::operation
