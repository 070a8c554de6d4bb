#include "oracles/arithmetic/parallel.h"
#include "oracles/ms_deform_attn/backward/evaluation.h"
#include "oracles/ms_deform_attn/backward/kinds.h"
#include "oracles/ms_deform_attn/backward/oracle.h"
#include "oracles/ms_deform_attn/backward/value_gradient.h"

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// Sampling points that an explanation lists.
constexpr std::size_t kPointsListed = 32;

/// The gradient of value of one case.
template <typename T>
class ValueEvaluation {
 public:
  ValueEvaluation(const Case& c, DType format, const Precision& precision, const Contract& contract)
      : inputs_(c, format, precision, contract), kinds_(inputs_) {
    const Dims& dims = inputs_.dims();
    may_overflow_ = may_overflow(inputs_, static_cast<double>(dims.Q * dims.L * dims.P), 1);
  }

  Reference refer(int threads) const {
    const Dims& dims = inputs_.dims();
    OutputReference output =
        empty_output<T>("output", {dims.N, dims.S, dims.M, dims.D}, inputs_.special() || may_overflow_);
    std::vector<Tally> tallies(static_cast<std::size_t>(dims.N * dims.M));
    for_each_chunk(dims.N * dims.M, threads, [&](std::int64_t chunk) {
      refer_head(chunk / dims.M, chunk % dims.M, output, tallies[static_cast<std::size_t>(chunk)]);
    });
    return summed_up(std::move(output), tallies, inputs_.rounding());
  }

  Explanation explain(std::int64_t element) const {
    const Place at = place(element);
    ValueGradient<T> gradient(inputs_);
    HeadSums<Wide<T>> sums;
    gradient.evaluate(at.n, at.m, sums);
    std::vector<typename ValueGradient<T>::Contributor> contributors;
    const BoundParts parts = gradient.parts(at.n, at.m, at.row, at.d, contributors);
    const std::size_t in_head = index_in_head(at);
    const bool exact = sums.bound[in_head] == 0;
    Explanation explanation;
    explanation.terms = parts.named(inputs_.margin(sums.terms[in_head]), exact);
    if (const std::string kinds = describe_kinds(admits(at)); !kinds.empty())
      explanation.lines.push_back(kinds);
    if (exact) explanation.lines.push_back("exact: no evaluation rounds");
    explanation.lines.push_back(
        fmt::format("batch {}, row {}, head {}, channel {}: {} sampling points reach it", at.n, at.row, at.m,
                    at.d, contributors.size()));
    for (std::size_t i = 0; i < std::min(contributors.size(), kPointsListed); ++i) {
      const auto& from = contributors[i];
      const auto g =
          static_cast<double>(inputs_.gradient().row({at.n, from.q, at.m})[static_cast<std::size_t>(at.d)]);
      explanation.lines.push_back(fmt::format("query {}, {}; weight * grad_output: {:.6g} * {:.9g}", from.q,
                                              describe(from.point, inputs_.forward().level(from.point.level)),
                                              from.weight, g));
    }
    return explanation;
  }

  std::string element_class(std::int64_t element) const {
    const Place at = place(element);
    if (admits(at) != kAdmitsFinite) return "nonfinite";
    std::vector<typename ValueGradient<T>::Contributor> contributors;
    ValueGradient<T>(inputs_).parts(at.n, at.m, at.row, at.d, contributors);
    std::string result = "outside";
    for (const auto& from : contributors) {
      result = class_of(from.point, inputs_.forward().level(from.point.level));
      if (result == "interior") break;
    }
    return result;
  }

 private:
  struct Place {
    std::int64_t n, row, m, d;
  };
  Place place(std::int64_t element) const {
    const Dims& dims = inputs_.dims();
    DEFORMDIFF_CHECK(element >= 0 && element < dims.N * dims.S * dims.M * dims.D);
    const std::int64_t head = element / dims.D;
    return {head / dims.M / dims.S, head / dims.M % dims.S, head % dims.M, element % dims.D};
  }
  std::size_t index_in_head(const Place& at) const {
    return static_cast<std::size_t>(at.row * inputs_.dims().D + at.d);
  }

  std::uint8_t admits(const Place& at) const {
    const std::size_t in_head = index_in_head(at);
    if (may_overflow_) {
      std::vector<bool> overflows;
      ValueGradient<T>(inputs_).find_overflows(at.n, at.m, overflows);
      if (overflows[in_head]) return kAdmitsAnything;
    }
    if (!inputs_.special()) return kAdmitsFinite;
    std::vector<std::uint8_t> kinds(static_cast<std::size_t>(inputs_.dims().S * inputs_.dims().D));
    kinds_.of_value(at.n, at.m, kinds);
    return kinds[in_head];
  }

  void refer_head(std::int64_t n, std::int64_t m, OutputReference& output, Tally& tally) const {
    const Dims& dims = inputs_.dims();
    ValueGradient<T> gradient(inputs_);
    HeadSums<Wide<T>> sums;
    gradient.evaluate(n, m, sums);
    std::vector<std::uint8_t> kinds;
    std::vector<bool> overflows;
    if (inputs_.special()) {
      kinds.resize(sums.value.size());
      kinds_.of_value(n, m, kinds);
    }
    if (may_overflow_) gradient.find_overflows(n, m, overflows);
    for (std::size_t i = 0; i < sums.value.size(); ++i) {
      const auto element = static_cast<std::int64_t>(i);
      const auto at = static_cast<std::size_t>(((n * dims.S + element / dims.D) * dims.M + m) * dims.D +
                                               element % dims.D);
      store(sums.value[i], sums.bound[i], at, output);
      if (!kinds.empty()) output.admits[at] = kinds[i];
      // Near the largest double the bound's own sums overflow first.
      const bool known = std::isfinite(sums.bound[i]);
      if (!overflows.empty() && (overflows[i] || !known)) admit_anything(at, output);
      count(output, at, sums.bound[i], sums.magnitude[i], sums.terms[i] > 0, sums.value[i] != 0,
            inputs_.rounding(), tally);
    }
  }

  BackwardInputs<T> inputs_;
  GradientKinds<T> kinds_;
  bool may_overflow_ = false;
};

}  // namespace

const Oracle& value_gradient_oracle(DType dtype) {
  return oracle_of<ValueEvaluation>(dtype);
}

}  // namespace deformdiff::ms_deform_attn
