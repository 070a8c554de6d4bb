#include "oracles/operations/sixteen_bits.h"

#include "core/error.h"
#include "core/mixed_types.h"
#include "core/sixteen_bits.h"
#include "core/telling.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string_view>

namespace deformdiff::operation {
namespace {

/// Frameworks make these of several operations of tensors, each of which rounds its result.
constexpr std::string_view kCompound[] = {"coordinates",   "temperatures",       "angles",
                                          "pixel_centres", "sampling_locations", "threshold"};

/// Their operands are what autocast rounds. Instructions for dot products of bfloat16 (VDPBF16PS; Intel's
/// manual, volume 2) read subnormal numbers as zero and write zero for them, whatever the modes of the
/// processor.
constexpr std::string_view kProducts[] = {"linear", "conv2d", "matmul", "attention_scores"};

/// Under Arithmetic::kOperations these are as well: the operator and its gradients, by the start of their
/// names. A gradient's name ends in that of the input it is of.
constexpr std::string_view kSampling = "ms_deform_attn", kGradient = "ms_deform_attn_grad_";

Case widened(Case c) {
  for (NamedTensor& input : c.inputs) {
    if (is_sixteen_bits(input.tensor.dtype())) input.tensor = convert(input.tensor, DType::kFloat32);
  }
  return c;
}

/// With the numbers that the 16-bit type has.
Case cut_to(DType dtype, Case c) {
  for (NamedTensor& input : c.inputs) {
    if (input.tensor.dtype() == DType::kFloat32) input.tensor = convert(input.tensor, dtype);
  }
  return c;
}

/// The least and the largest of some stored numbers; either may be infinite.
struct Ends {
  double low, high;
};

/// An interval, and the kinds of number that belong to the set.
struct Set {
  double value = 0, bound = 0;
  std::uint8_t admits = kAdmitsFinite;
};

/// What rounding to a 16-bit type makes of sets. It is monotonic: the least number becomes the least.
class Rounded {
 public:
  Rounded(DType dtype, bool flushes)
      : format_(sixteen_bit_format(dtype)), normal_(flushes ? float_format(dtype).smallest_normal : 0) {}

  /// Of the numbers in value +- bound.
  Ends ends(double value, double bound) const {
    return {stored(value - bound, bound == 0 ? 0 : -0x1p-52),
            stored(value + bound, bound == 0 ? 0 : 0x1p-52)};
  }

  /// Of float32 sums of such numbers and `term`.
  Ends sums(const Ends& terms, double term) const {
    return {sum(terms.low + term, -0x1p-23), sum(terms.high + term, 0x1p-23)};
  }

  Set set(Ends ends) const {
    if (ends.low > format_.largest) return {0, 0, kAdmitsPlusInf};
    if (ends.high < -format_.largest) return {0, 0, kAdmitsMinusInf};
    if (ends.low > 0 && ends.low < normal_) ends.low = 0;
    if (ends.high < 0 && ends.high > -normal_) ends.high = 0;
    Set set;
    if (ends.low < -format_.largest) set.admits |= kAdmitsMinusInf;
    if (ends.high > format_.largest) set.admits |= kAdmitsPlusInf;
    const double low = std::max(ends.low, -format_.largest), high = std::min(ends.high, format_.largest);
    set.value = low / 2 + high / 2;
    // Of numbers far apart the middle is rounded, and so are the differences.
    if (low < high) set.bound = std::max(high - set.value, set.value - low) * (1 + 0x1p-50);
    return set;
  }

 private:
  /// `t`, which may be so much of itself smaller or larger.
  double stored(double t, double loss) const {
    if (!std::isfinite(t)) return t;
    const double tiny = loss == 0 ? 0 : std::copysign(0x1p-1022, loss);
    return round_to(format_, t + std::abs(t) * loss + tiny);
  }
  double sum(double t, double loss) const {
    return stored(t, static_cast<double>(static_cast<float>(t)) == t ? 0 : loss);
  }

  const SixteenBitFormat& format_;
  double normal_;  ///< below it results may be 0; 0 if they are not flushed
};

/// Turns admissible float32 results into what is stored of them; more(element, ends) says what else may be.
template <typename More>
void round_off(const Rounded& rounded, const More& more, OutputReference& output) {
  const std::size_t count = output.value.size();
  if (output.admits.empty()) output.admits.assign(count, kAdmitsFinite);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t& admits = output.admits[i];
    if ((admits & kAdmitsFinite) == 0) continue;
    const Set set = rounded.set(more(i, rounded.ends(output.value[i], output.bound[i])));
    output.value[i] = set.value;
    output.bound[i] = set.bound;
    admits = static_cast<std::uint8_t>((admits & ~kAdmitsFinite) | set.admits);
  }
  for (Alternative& other : output.alternatives) {
    const Set set = rounded.set(rounded.ends(other.value, other.bound));
    other.value = set.value;
    other.bound = set.bound;
    const auto i = static_cast<std::size_t>(other.element);
    // Beyond the largest number nothing finite is left of an interval: another one takes the first's place.
    const bool is_finite = (set.admits & kAdmitsFinite) != 0,
               takes_place = (output.admits[i] & kAdmitsFinite) == 0;
    output.admits[i] |= set.admits;
    if (is_finite && takes_place) {
      output.value[i] = set.value;
      output.bound[i] = set.bound;
    }
    if (!is_finite || takes_place) other.bound = -1;
  }
  std::erase_if(output.alternatives, [](const Alternative& other) { return other.bound < 0; });
  const auto is_finite = [](std::uint8_t each) { return each == kAdmitsFinite; };
  if (std::ranges::all_of(output.admits, is_finite)) output.admits = {};
}

/// Where every step rounded, what is known exactly rounds as well; other sets are of stored numbers already.
void round_exact(const Rounded& rounded, OutputReference& output) {
  for (std::size_t i = 0; i < output.value.size(); ++i) {
    if (output.bound[i] != 0 || (!output.admits.empty() && output.admits[i] != kAdmitsFinite)) continue;
    const Set set = rounded.set(rounded.ends(output.value[i], 0));
    output.value[i] = set.value;
    if (set.admits == kAdmitsFinite) continue;
    if (output.admits.empty()) output.admits.assign(output.value.size(), kAdmitsFinite);
    output.admits[i] = set.admits;
  }
}

/// A sum of products and a bias, which frameworks also add in an operation of its own, to what was stored of
/// the sum.
class BiasAddedApart {
 public:
  BiasAddedApart(const Oracle& float32, const Case& wide, const Precision& precision, int threads)
      : bias_(wide.input(kBias).contiguous()), per_channel_(wide.block == "conv2d" ? 1 : 0) {
    Case without = wide;
    std::erase_if(without.inputs, [](const NamedTensor& input) { return input.name == kBias; });
    product_ = std::move(float32.evaluate(without, precision, {}, threads).outputs.front());
    if (per_channel_ != 0) per_channel_ = product_.shape[2] * product_.shape[3];
    per_channel_ = std::max<std::int64_t>(1, per_channel_);
  }

  /// Either way.
  Ends operator()(const Rounded& rounded, std::size_t i, const Ends& at_once) const {
    const auto channel = static_cast<std::int64_t>(i) / per_channel_ % bias_.elements();
    const double bias = bias_.values<float>()[static_cast<std::size_t>(channel)];
    const bool finite = product_.admits.empty() || product_.admits[i] == kAdmitsFinite;
    if (!finite || !std::isfinite(bias)) return at_once;
    const Ends apart = rounded.sums(rounded.ends(product_.value[i], product_.bound[i]), bias);
    return {std::min(at_once.low, apart.low), std::max(at_once.high, apart.high)};
  }

  static constexpr const char* kBias = "bias";

 private:
  Tensor bias_;
  std::int64_t per_channel_;  ///< elements of the output that lie beside each other
  OutputReference product_;
};

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
        is_sampling_(operation.starts_with(kSampling)),
        differentiated_(operation.starts_with(kGradient) ? operation.substr(kGradient.size()) : ""),
        has_bias_(operation == "linear" || operation == "conv2d"),
        is_compound_(std::ranges::find(kCompound, operation) != std::end(kCompound)),
        is_product_(std::ranges::find(kProducts, operation) != std::end(kProducts)) {}

  Reference evaluate(const Case& given, const Precision& precision, const Contract& contract,
                     int threads) const override {
    const Case c = operands(given, precision);
    const bool every_step = rounds_every_step(c, precision);
    const Case wide = widened(c);
    const Precision of_steps = precision_of_steps(precision);
    Reference reference = float32_oracle(c, precision).evaluate(wide, of_steps, contract, threads);
    const Rounded rounded(dtype_, of_steps.flush_to_zero);
    OutputReference& output = reference.outputs.front();
    if (output.dtype != DType::kFloat32 || stores_float32(c)) return reference;
    output.dtype = dtype_;
    if (every_step) {
      round_exact(rounded, output);
    } else if (has_bias_ && wide.find_input(BiasAddedApart::kBias) != nullptr) {
      const BiasAddedApart apart(oracles_.wide, wide, of_steps, threads);
      round_off(
          rounded, [&](std::size_t i, const Ends& ends) { return apart(rounded, i, ends); }, output);
    } else {
      round_off(
          rounded, [](std::size_t, const Ends& ends) { return ends; }, output);
    }
    if (reference.vacuous.empty() && is_zero(output)) tell_of_zeros(reference);
    return reference;
  }

  bool casts_operands(const Precision& precision) const override {
    const Autocast own = dtype_ == DType::kFloat16 ? Autocast::kFloat16 : Autocast::kBFloat16;
    return is_product_ && precision.autocast == own;
  }

  Explanation explain(const Case& given, const Precision& precision, const Contract& contract,
                      std::int64_t element) const override {
    const Case c = operands(given, precision);
    const Case wide = widened(c);
    const Oracle& oracle = float32_oracle(c, precision);
    const Precision of_steps = precision_of_steps(precision);
    Explanation explanation = oracle.explain(wide, of_steps, contract, element);
    const auto bound_of = [element](const Reference& reference) {
      return reference.outputs.front().bound[static_cast<std::size_t>(element)];
    };
    const double before = bound_of(oracle.evaluate(wide, of_steps, contract, 1));
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
  /// Operations of tensors of both types compute in float32.
  bool rounds_every_step(const Case& c, const Precision& precision) const {
    switch (precision.arithmetic) {
      case Arithmetic::kWide:
        return is_compound_;
      case Arithmetic::kOperations:
        return is_compound_ || (is_sampling_ && !mixed_dtype(c));
      case Arithmetic::kStorage:
        return true;
    }
    throw InternalError("an arithmetic of no known kind");
  }

  const Oracle& float32_oracle(const Case& c, const Precision& precision) const {
    return rounds_every_step(c, precision) ? oracles_.storage : oracles_.wide;
  }

  /// Of a gradient: what it is of is float32 beside a value of 16 bits.
  bool stores_float32(const Case& c) const {
    return !differentiated_.empty() && c.input(differentiated_).dtype() == DType::kFloat32;
  }

  /// As the operation takes them.
  Case operands(const Case& c, const Precision& precision) const {
    return casts_operands(precision) ? cut_to(dtype_, c) : c;
  }

  Precision precision_of_steps(Precision precision) const {
    precision.products = Products::kFloat32;  // matrix hardware takes numbers of 16 bits as they are
    precision.convolutions = Convolutions::kDirect;
    const bool flushes = is_product_ && dtype_ == DType::kBFloat16;
    precision.flush_to_zero = precision.flush_to_zero || flushes;
    return precision;
  }

  static void tell_of_zeros(Reference& reference) {
    Tally zeros;
    zeros.total = reference.total_elements;
    tell(zeros, kDerivedSets, reference);
  }

  DType dtype_;
  FormatOracles oracles_;
  bool is_sampling_;
  std::string differentiated_;  ///< of a gradient, the input that it is of
  bool has_bias_, is_compound_, is_product_;
};

/// Results that are float32: the steps are, since operations of tensors of both types promote to it.
class Float32ResultOracle : public Oracle {
 public:
  Float32ResultOracle(const std::string& operation, const Oracle& float32,
                      const std::map<DType, const Oracle*>& storage)
      : float32_(float32), storage_(storage), divides_offsets_(operation == "sampling_locations") {}

  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    if (!sixteen_bits_in(c)) return float32_.evaluate(c, precision, contract, threads);
    Reference reference = float32_.evaluate(widened(c), precision, contract, threads);
    if (divides_offsets_) add_quotients(c, precision, contract, threads, reference.outputs.front());
    return reference;
  }

  Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                      std::int64_t element) const override {
    const Case wide = widened(c);
    Explanation explanation = float32_.explain(wide, precision, contract, element);
    const auto bound_of = [&](const Reference& reference) {
      return reference.outputs.front().bound[static_cast<std::size_t>(element)];
    };
    const double before = bound_of(float32_.evaluate(wide, precision, contract, 1));
    const double after = bound_of(evaluate(c, precision, contract, 1));
    if (before != after) explanation.terms.emplace_back("offsets in 16 bits", after - before);
    std::ranges::stable_sort(explanation.terms,
                             [](const auto& a, const auto& b) { return a.second > b.second; });
    return explanation;
  }

  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    return float32_.element_classes(widened(c), elements);
  }

 private:
  static std::optional<DType> sixteen_bits_in(const Case& c) {
    const auto narrow = std::ranges::find_if(
        c.inputs, [](const NamedTensor& input) { return is_sixteen_bits(input.tensor.dtype()); });
    return narrow == c.inputs.end() ? std::nullopt : std::optional(narrow->tensor.dtype());
  }

  /// Offsets of 16 bits are divided by whole numbers in their own type, before float32 points are added:
  /// README, "Mixed types". What that loses is what locations about the point 0 lose.
  void add_quotients(const Case& c, const Precision& precision, const Contract& contract, int threads,
                     OutputReference& output) const {
    const DType narrow = c.input("offsets").dtype();
    if (!is_sixteen_bits(narrow)) return;
    Case about_zero = widened(c);
    for (NamedTensor& input : about_zero.inputs) {
      if (input.name == "reference_points") input.tensor = with_centres_at_zero(input.tensor);
    }
    const Reference quotients = storage_.at(narrow)->evaluate(about_zero, precision, contract, threads);
    const OutputReference& lost = quotients.outputs.front();
    for (std::size_t i = 0; i < output.bound.size(); ++i) {
      output.bound[i] = (output.bound[i] + lost.bound[i]) * (1 + 0x1p-20);
      const bool known = lost.admits.empty() || lost.admits[i] == kAdmitsFinite;
      if (known || (!output.admits.empty() && output.admits[i] != kAdmitsFinite)) continue;
      if (output.admits.empty()) output.admits.assign(output.bound.size(), kAdmitsFinite);
      output.admits[i] = kAdmitsAnything;
    }
  }

  /// Points (x, y), or boxes (x, y, width, height).
  static Tensor with_centres_at_zero(const Tensor& points) {
    const Tensor dense = points.contiguous();
    std::vector<float> numbers(dense.values<float>().begin(), dense.values<float>().end());
    const auto length = static_cast<std::size_t>(points.shape().back());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (i % length < 2) numbers[i] = 0;
    }
    return Tensor::of<float>(DType::kFloat32, points.shape(), std::span<const float>(numbers));
  }

  const Oracle& float32_;
  std::map<DType, const Oracle*> storage_;
  bool divides_offsets_;
};

}  // namespace

std::unique_ptr<const Oracle> float32_result_oracle(const std::string& operation, const Oracle& float32,
                                                    const std::map<DType, const Oracle*>& storage) {
  return std::make_unique<Float32ResultOracle>(operation, float32, storage);
}

std::unique_ptr<const Oracle> sixteen_bit_oracle(const std::string& operation, DType dtype,
                                                 FormatOracles oracles) {
  return std::make_unique<SixteenBitOracle>(operation, dtype, oracles);
}

}  // namespace deformdiff::operation
