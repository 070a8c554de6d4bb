// What the evaluations of the three gradients' oracles have in common.
#pragma once

#include "core/dtype_dispatch.h"
#include "core/oracle.h"
#include "core/telling.h"
#include "oracles/ms_deform_attn/backward/inputs.h"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// Room for every element of the output; for kinds of number too if wanted.
template <typename T>
OutputReference empty_output(const char* name, const Shape& shape, bool kinds) {
  OutputReference output;
  output.name = name;
  output.dtype = kDTypeOf<T>;
  output.shape = shape;
  const auto elements = static_cast<std::size_t>(element_count(shape));
  output.value.resize(elements);
  output.bound.resize(elements);
  if (std::is_same_v<T, double>) output.value_low.resize(elements);
  if (kinds) output.admits.assign(elements, kAdmitsFinite);
  return output;
}

/// The interval of an element.
template <typename Scalar>
void store(Scalar value, double bound, std::size_t at, OutputReference& output) {
  output.value[at] = static_cast<double>(value);
  if (!output.value_low.empty())
    output.value_low[at] = static_cast<double>(value - static_cast<Scalar>(output.value[at]));
  output.bound[at] = bound;
}

/// An element that may be anything.
inline void admit_anything(std::size_t at, OutputReference& output) {
  output.admits[at] = kAdmitsAnything;
  output.bound[at] = std::numeric_limits<double>::max();
}

/// What an element counts for rule 7, by the widest of its intervals.
inline void count(const OutputReference& output, std::size_t at, double bound, double magnitude, bool reached,
                  bool nonzero, const Rounding& rounding, Tally& tally) {
  const std::uint8_t admits =
      output.admits.empty() ? static_cast<std::uint8_t>(kAdmitsFinite) : output.admits[at];
  const bool nonfinite = (admits & (kAdmitsFinite | kAdmitsAnything)) == 0;
  const bool narrow =
      admits == kAdmitsFinite && magnitude > 0 && derived_sets(rounding.unit).is_narrow(bound, magnitude);
  tally.count(narrow || nonfinite, reached || nonfinite, nonzero || nonfinite);
}

/// The reference of one output, from the tallies of its parts.
inline Reference summed_up(OutputReference output, const std::vector<Tally>& tallies,
                           const Rounding& rounding) {
  Tally sum;
  for (const Tally& tally : tallies) sum += tally;
  Reference reference;
  tell(sum, derived_sets(rounding.unit), reference, "elements that sampling reaches");
  reference.outputs.push_back(std::move(output));
  return reference;
}

/// No product of gradients, attention weights, sides and cells' values comes near the largest number.
template <typename T>
bool may_overflow(const BackwardInputs<T>& inputs, double terms, double others) {
  const double product = 16 * std::max(1.0, terms) * std::max(1.0, inputs.gradient().largest()) *
                         std::max(1.0, inputs.forward().largest_weight()) * std::max(1.0, others);
  return !(product < inputs.rounding().largest);
}

/// An oracle that makes an Evaluation of each case: refer(threads), explain(element), element_class(element).
template <typename Evaluation>
class GradientOracle : public Oracle {
 public:
  explicit GradientOracle(DType format) : format_(format) {}

  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    return Evaluation(c, format_, precision, contract).refer(threads);
  }
  Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                      std::int64_t element) const override {
    return Evaluation(c, format_, precision, contract).explain(element);
  }
  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    const Evaluation evaluation(c, format_, {}, {});
    std::vector<std::string> classes;
    for (const std::int64_t element : elements) classes.push_back(evaluation.element_class(element));
    return classes;
  }

 private:
  DType format_;
};

/// The one in a dtype, by its C++ type.
template <template <typename> typename Evaluation>
const Oracle& oracle_of(DType dtype) {
  return with_format(dtype, []<typename T, DType format>() -> const Oracle& {
    static const GradientOracle<Evaluation<T>> instance(format);
    return instance;
  });
}

}  // namespace deformdiff::ms_deform_attn
