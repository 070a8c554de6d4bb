#include "check/rounded_constants.h"

#include "catalog/catalog.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace deformdiff {
namespace {

/// Largest relative error of a number that was rounded to float32.
constexpr double kRoundoff = 0x1p-24;

/// How many constants the value is a product, quotient or root of; a value that may itself be an entry of a
/// table counts as one of them.
int constants_in(const std::string& operation) {
  static const std::map<std::string, int> kCounts{
      {"scale", 1},         // 1 / sqrt(head_dim)
      {"mean_heads", 1},    // 1 / heads
      {"temperatures", 2},  // the temperature; a table
      {"coordinates", 4},   // offset, eps and scale; a table
      {"angles", 1},        // 1 / temperature, from a table
      {"pixel_centres", 1}, {"scaled_points", 1}, {"sampling_locations", 1}};  // 1 / (2 P), of boxes
  const auto found = kCounts.find(operation);
  return found == kCounts.end() ? 0 : found->second;
}

double largest(const Tensor& tensor) {
  double most = 0;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) most = std::max(most, std::abs(tensor.element(i)));
  return most;
}

class RoundedConstants final : public Oracle {
 public:
  explicit RoundedConstants(const Oracle& exact) : exact_(exact) {}

  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    Reference reference = exact_.evaluate(c, precision, contract, threads);
    OutputReference& output = reference.outputs.front();
    const auto with = [&](const char* attribute, double factor) {
      Case other = c;
      other.attributes.at(attribute) *= factor;
      return std::move(exact_.evaluate(other, precision, contract, threads).outputs.front());
    };
    if (const int constants = constants_in(c.block); constants > 0) {
      // What is added to the product may hide how large that is.
      const Tensor* const added = c.find_input("reference_points");
      const double more = added == nullptr ? 0 : largest(*added);
      widen(output,
            [&](std::size_t i) { return constants * kRoundoff * (std::abs(output.value[i]) + more); });
    } else if (c.attributes.contains("eps")) {
      // The value is smooth in eps: what 2^-10 of it make of the value, 2^-24 make 2^-14 of.
      const OutputReference other = with("eps", 1 + 0x1p-10);
      widen(output, [&](std::size_t i) { return 0x1p-14 * std::abs(other.value[i] - output.value[i]); });
    } else if (c.block == "gelu") {
      // Put together from a polynomial it is as exact as that, which is made for float32.
      const Tensor& x = c.input("x");
      widen(output, [&](std::size_t i) {
        return precision.ulps.erf * kRoundoff * std::abs(x.element(static_cast<std::int64_t>(i)));
      });
    } else if (c.block == "threshold") {
      for (const double factor : {1 - kRoundoff, 1 + kRoundoff}) {
        const OutputReference other = with("threshold", factor);
        for (std::size_t i = 0; i < output.value.size(); ++i) {
          if (other.value[i] != output.value[i]) output.value[i] = output.bound[i] = 0.5;
        }
      }
    }
    return reference;
  }

  Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                      std::int64_t element) const override {
    return exact_.explain(c, precision, contract, element);
  }

  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    return exact_.element_classes(c, elements);
  }

 private:
  template <typename Room>
  static void widen(OutputReference& output, const Room& room) {
    for (std::size_t i = 0; i < output.bound.size(); ++i) {
      if (std::isfinite(output.value[i])) output.bound[i] += room(i);
    }
  }

  const Oracle& exact_;
};

/// The operations are those of every block.
const Oracle& rounded_operation(const std::string& operation, DType dtype) {
  static std::map<std::pair<std::string, DType>, std::unique_ptr<const Oracle>> oracles;
  std::unique_ptr<const Oracle>& oracle = oracles[{operation, dtype}];
  if (!oracle) oracle = std::make_unique<RoundedConstants>(blocks().front().operations(operation, dtype));
  return *oracle;
}

}  // namespace

BlockEntry with_rounded_constants(BlockEntry entry) {
  entry.operations = rounded_operation;
  return entry;
}

}  // namespace deformdiff
