#include "oracles/operations/sixteen_bits.h"

#include "core/error.h"
#include "core/sixteen_bits.h"
#include "core/telling.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

namespace deformdiff::operation {
namespace {

/// Frameworks make these of several operations of tensors, each of which rounds its result.
constexpr std::string_view kCompound[] = {"coordinates",   "temperatures",       "angles",
                                          "pixel_centres", "sampling_locations", "threshold"};

/// Under Arithmetic::kOperations this is as well.
constexpr std::string_view kSampling = "ms_deform_attn";

Case widened(Case c) {
  for (NamedTensor& input : c.inputs) {
    if (is_sixteen_bits(input.tensor.dtype())) input.tensor = convert(input.tensor, DType::kFloat32);
  }
  return c;
}

/// An interval, and the kinds of number that belong to the set.
struct Set {
  double value = 0, bound = 0;
  std::uint8_t admits = kAdmitsFinite;
};

/// What rounding to a 16-bit type makes of sets.
class Rounded {
 public:
  Rounded(DType dtype, bool flushes)
      : format_(sixteen_bit_format(dtype)), normal_(flushes ? float_format(dtype).smallest_normal : 0) {}

  /// Of the numbers in value +- bound. Rounding is monotonic: the least becomes the least.
  Set of(double value, double bound) const {
    double low = end(value, bound, -1), high = end(value, bound, 1);
    if (low > format_.largest) return {0, 0, kAdmitsPlusInf};
    if (high < -format_.largest) return {0, 0, kAdmitsMinusInf};
    if (low > 0 && low < normal_) low = 0;
    if (high < 0 && high > -normal_) high = 0;
    Set set;
    if (low < -format_.largest) set.admits |= kAdmitsMinusInf;
    if (high > format_.largest) set.admits |= kAdmitsPlusInf;
    low = std::max(low, -format_.largest);
    high = std::min(high, format_.largest);
    set.value = low / 2 + high / 2;
    // Of numbers far apart the middle is rounded, and so are the differences.
    if (low < high) set.bound = std::max(high - set.value, set.value - low) * (1 + 0x1p-50);
    return set;
  }

 private:
  /// An end is computed in double and moved outwards by what that may lose.
  double end(double value, double bound, double side) const {
    const double sum = value + side * bound;
    return round_to(format_, bound == 0 ? sum : sum + side * (std::abs(sum) * 0x1p-52 + 0x1p-1022));
  }

  const SixteenBitFormat& format_;
  double normal_;  ///< below it results may be 0; 0 if they are not flushed
};

/// Turns admissible float32 results into what is stored of them. With `exact_alone` only results that are
/// known exactly round: the others are sets of 16-bit numbers already.
void round_off(const Rounded& rounded, DType dtype, bool exact_alone, OutputReference& output) {
  const std::size_t count = output.value.size();
  if (output.admits.empty()) output.admits.assign(count, kAdmitsFinite);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t& admits = output.admits[i];
    if ((admits & kAdmitsFinite) == 0 || (exact_alone && output.bound[i] != 0)) continue;
    const Set set = rounded.of(output.value[i], output.bound[i]);
    output.value[i] = set.value;
    output.bound[i] = set.bound;
    admits = static_cast<std::uint8_t>((admits & ~kAdmitsFinite) | set.admits);
  }
  for (Alternative& other : output.alternatives) {
    if (exact_alone && other.bound != 0) continue;
    const Set set = rounded.of(other.value, other.bound);
    other.value = set.value;
    other.bound = set.bound;
    std::uint8_t& admits = output.admits[static_cast<std::size_t>(other.element)];
    admits = static_cast<std::uint8_t>(admits | (set.admits & ~kAdmitsFinite));
    // Beyond the largest number nothing finite is left of it.
    if ((set.admits & kAdmitsFinite) == 0) other.bound = -1;
  }
  std::erase_if(output.alternatives, [](const Alternative& other) { return other.bound < 0; });
  const auto is_finite = [](std::uint8_t each) { return each == kAdmitsFinite; };
  if (std::ranges::all_of(output.admits, is_finite)) output.admits = {};
  output.dtype = dtype;
}

bool is_zero(const OutputReference& output) {
  const auto zero = [](double each) { return each == 0; };
  return output.admits.empty() && output.alternatives.empty() && std::ranges::all_of(output.value, zero) &&
         std::ranges::all_of(output.bound, zero);
}

class SixteenBitOracle : public Oracle {
 public:
  SixteenBitOracle(const std::string& operation, DType dtype, FormatOracles oracles)
      : dtype_(dtype),
        oracles_(oracles),
        is_sampling_(operation == kSampling),
        is_compound_(std::ranges::find(kCompound, operation) != std::end(kCompound)) {}

  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    const bool every_step = rounds_every_step(precision);
    Reference reference = float32_oracle(precision).evaluate(widened(c), precision, contract, threads);
    const Rounded rounded(dtype_, precision.flush_to_zero);
    for (OutputReference& output : reference.outputs) {
      if (output.dtype != DType::kFloat32) continue;
      round_off(rounded, dtype_, every_step, output);
      if (reference.vacuous.empty() && is_zero(output)) tell_of_zeros(reference);
    }
    return reference;
  }

  Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                      std::int64_t element) const override {
    const Case wide = widened(c);
    const Oracle& oracle = float32_oracle(precision);
    Explanation explanation = oracle.explain(wide, precision, contract, element);
    const auto bound_of = [element](const Reference& reference) {
      return reference.outputs.front().bound[static_cast<std::size_t>(element)];
    };
    const double before = bound_of(oracle.evaluate(wide, precision, contract, 1));
    const double after = bound_of(evaluate(c, precision, contract, 1));
    if (before != after) explanation.terms.emplace_back("output rounding", after - before);
    std::ranges::stable_sort(explanation.terms,
                             [](const auto& a, const auto& b) { return a.second > b.second; });
    return explanation;
  }

  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    return oracles_.wide.element_classes(widened(c), elements);
  }

 private:
  bool rounds_every_step(const Precision& precision) const {
    switch (precision.arithmetic) {
      case Arithmetic::kWide:
        return is_compound_;
      case Arithmetic::kOperations:
        return is_compound_ || is_sampling_;
      case Arithmetic::kStorage:
        return true;
    }
    throw InternalError("an arithmetic of no known kind");
  }

  const Oracle& float32_oracle(const Precision& precision) const {
    return rounds_every_step(precision) ? oracles_.storage : oracles_.wide;
  }

  static void tell_of_zeros(Reference& reference) {
    Tally zeros;
    zeros.total = reference.total_elements;
    tell(zeros, kDerivedSets, reference);
  }

  DType dtype_;
  FormatOracles oracles_;
  bool is_sampling_, is_compound_;
};

}  // namespace

std::unique_ptr<const Oracle> sixteen_bit_oracle(const std::string& operation, DType dtype,
                                                 FormatOracles oracles) {
  return std::make_unique<SixteenBitOracle>(operation, dtype, oracles);
}

}  // namespace deformdiff::operation
