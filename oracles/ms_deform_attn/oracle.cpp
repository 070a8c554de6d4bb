#include "oracles/ms_deform_attn/oracle.h"

#include "core/dtype_dispatch.h"
#include "core/telling.h"
#include "oracles/arithmetic/parallel.h"
#include "oracles/ms_deform_attn/exact_sums.h"
#include "oracles/ms_deform_attn/explain.h"
#include "oracles/ms_deform_attn/group.h"
#include "oracles/ms_deform_attn/nonfinite.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// Queries that one chunk of work takes: enough to keep one head's rows in cache, few enough to share out.
constexpr std::int64_t kQueriesPerChunk = 256;

/// Throws InputError if the case computes in another dtype.
Problem parse_in(DType dtype, const Case& c) {
  const Problem problem = parse(c);
  if (problem.dtype != dtype) {
    throw InputError(
        fmt::format("block ms_deform_attn: value is {}, {} wanted", name_of(problem.dtype), name_of(dtype)));
  }
  return problem;
}

/// One case under one Precision and Contract. Every step rounds in `format`.
template <typename T>
class Evaluation {
 public:
  Evaluation(const Case& c, DType format, const Precision& precision, const Contract& contract)
      : inputs_(parse_in(kDTypeOf<T>, c), contract),
        rounding_(rounding_of(format, precision)),
        telling_(derived_sets(rounding_.unit)),
        coordinates_(precision.coordinates),
        contract_(contract) {
    const Dims& dims = inputs_.dims();
    const double points = static_cast<double>(dims.L * dims.P);
    may_overflow_ = !(16 * inputs_.largest_value() * std::max(1.0, points * inputs_.largest_weight()) <
                      rounding_.largest);
    std::int64_t longest = 1;
    for (std::int64_t l = 0; l < dims.L; ++l)
      longest = std::max({longest, inputs_.level(l).width, inputs_.level(l).height});
    special_ =
        inputs_.has_nonfinite() || coordinate_may_overflow(inputs_.largest_location(), longest, rounding_);
    exact_ = !inputs_.has_nonfinite() && every_evaluation_is_exact(inputs_, rounding_);
  }

  Reference refer(int threads) {
    const Dims& dims = inputs_.dims();
    OutputReference output;
    output.name = "output";
    output.dtype = kDTypeOf<T>;
    output.shape = {dims.N, dims.Q, dims.M * dims.D};
    const auto elements = static_cast<std::size_t>(dims.N * dims.Q * dims.M * dims.D);
    output.value.resize(elements);
    output.bound.resize(elements);
    if (std::is_same_v<T, double>) output.value_low.resize(elements);
    if (special_ || may_overflow_) output.admits.assign(elements, kAdmitsFinite);

    const std::int64_t blocks = (dims.Q + kQueriesPerChunk - 1) / kQueriesPerChunk;
    std::vector<Tally> tallies(static_cast<std::size_t>(dims.N * blocks));
    for_each_chunk(dims.N * blocks, threads, [&](std::int64_t chunk) {
      const std::int64_t first = chunk % blocks * kQueriesPerChunk;
      tallies[static_cast<std::size_t>(chunk)] =
          refer_queries(chunk / blocks, first, std::min(first + kQueriesPerChunk, dims.Q), output);
    });
    return summed_up(std::move(output), tallies);
  }

  Explanation explain(std::int64_t element) const {
    const auto [group, d] = locate_element(element);
    Explanation explanation = explain_element(inputs_, rounding_, coordinates_, group, d, exact_);
    const std::uint8_t set = admits_of(group, d);
    if (set != kAdmitsFinite) {
      explanation.lines.push_back(fmt::format(
          "inputs are not finite; the element may be:{}{}{}{}", (set & kAdmitsFinite) != 0 ? " finite" : "",
          (set & kAdmitsNan) != 0 ? " nan" : "", (set & kAdmitsPlusInf) != 0 ? " +inf" : "",
          (set & kAdmitsMinusInf) != 0 ? " -inf" : ""));
    }
    return explanation;
  }

  std::string element_class(std::int64_t element) const {
    const auto [group, d] = locate_element(element);
    if (admits_of(group, d) != kAdmitsFinite) return "nonfinite";
    GroupEvaluator<T> evaluator(inputs_, rounding_, coordinates_);
    GroupResult<Wide<T>> result;
    evaluator.evaluate(group, Parts{}, result);
    if (evaluator.points().empty()) return "outside";
    for (const auto& point : evaluator.points()) {
      const Level& level = inputs_.level(point.level);
      if (point.x.position >= 0 && point.y.position >= 0 && point.x.position <= level.width - 1 &&
          point.y.position <= level.height - 1) {
        return "interior";
      }
    }
    return "border";
  }

 private:
  std::pair<GroupIndex, std::int64_t> locate_element(std::int64_t element) const {
    const Dims& dims = inputs_.dims();
    DEFORMDIFF_CHECK(element >= 0 && element < dims.N * dims.Q * dims.M * dims.D);
    const std::int64_t head = element / dims.D;
    return {{head / dims.M / dims.Q, head / dims.M % dims.Q, head % dims.M}, element % dims.D};
  }

  std::uint8_t admits_of(const GroupIndex& group, std::int64_t d) const {
    if (!special_) return kAdmitsFinite;
    std::vector<std::uint8_t> admits(static_cast<std::size_t>(inputs_.dims().D));
    NonfiniteJudge<T>(inputs_, rounding_, coordinates_, contract_).judge(group, admits);
    return admits[static_cast<std::size_t>(d)];
  }

  Tally refer_queries(std::int64_t n, std::int64_t first, std::int64_t last, OutputReference& output) const {
    const Dims& dims = inputs_.dims();
    GroupEvaluator<T> evaluator(inputs_, rounding_, coordinates_);
    const NonfiniteJudge<T> judge(inputs_, rounding_, coordinates_, contract_);
    GroupResult<Wide<T>> result;
    Tally tally;
    for (std::int64_t m = 0; m < dims.M; ++m) {
      for (std::int64_t q = first; q < last; ++q) {
        const GroupIndex group{n, q, m};
        const auto at = static_cast<std::size_t>(((n * dims.Q + q) * dims.M + m) * dims.D);
        evaluator.evaluate(group, Parts{}, result);
        if (exact_) std::fill(result.bound.begin(), result.bound.end(), 0.0);
        if (special_) judge.judge(group, {output.admits.data() + at, static_cast<std::size_t>(dims.D)});
        if (may_overflow_) admit_overflow(evaluator, group, at, result, output);
        store(result, at, output);
        count(result, at, output, tally);
      }
    }
    return tally;
  }

  static void admit_overflow(GroupEvaluator<T>& evaluator, const GroupIndex& group, std::size_t at,
                             GroupResult<Wide<T>>& result, OutputReference& output) {
    std::vector<bool> overflows;
    evaluator.find_overflows(group, overflows);
    for (std::size_t d = 0; d < overflows.size(); ++d) {
      if (!overflows[d]) continue;
      output.admits[at + d] = kAdmitsAnything;
      result.bound[d] = std::numeric_limits<double>::max();
    }
  }

  void store(const GroupResult<Wide<T>>& result, std::size_t at, OutputReference& output) const {
    std::copy(result.bound.begin(), result.bound.end(),
              output.bound.begin() + static_cast<std::ptrdiff_t>(at));
    for (std::size_t d = 0; d < result.value.size(); ++d) {
      const auto value = static_cast<double>(result.value[d]);
      output.value[at + d] = value;
      if (!output.value_low.empty()) output.value_low[at + d] = static_cast<double>(result.value[d] - value);
    }
  }

  void count(const GroupResult<Wide<T>>& result, std::size_t at, const OutputReference& output,
             Tally& tally) const {
    for (std::size_t d = 0; d < result.value.size(); ++d) {
      const std::uint8_t admits =
          output.admits.empty() ? static_cast<std::uint8_t>(kAdmitsFinite) : output.admits[at + d];
      const bool nonfinite = (admits & (kAdmitsFinite | kAdmitsAnything)) == 0;
      const bool narrow = admits == kAdmitsFinite && result.magnitude[d] > 0 &&
                          telling_.is_narrow(result.bound[d], result.magnitude[d]);
      tally.count(narrow || nonfinite, result.reached || nonfinite, result.value[d] != 0 || nonfinite);
    }
  }

  Reference summed_up(OutputReference output, const std::vector<Tally>& tallies) const {
    Tally sum;
    for (const Tally& tally : tallies) sum += tally;
    Reference reference;
    tell(sum, telling_, reference, "elements that sampling reaches");
    reference.outputs.push_back(std::move(output));
    return reference;
  }

  Inputs<T> inputs_;
  Rounding rounding_;
  TellingRule telling_;
  Coordinates coordinates_;
  Contract contract_;
  bool may_overflow_ = false;
  bool special_ = false;
  bool exact_ = false;
};

template <typename T>
class MsDeformAttnOracle : public Oracle {
 public:
  explicit MsDeformAttnOracle(DType format) : format_(format) {}

  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    return Evaluation<T>(c, format_, precision, contract).refer(threads);
  }
  Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                      std::int64_t element) const override {
    return Evaluation<T>(c, format_, precision, contract).explain(element);
  }
  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    const Evaluation<T> evaluation(c, format_, {}, {});
    std::vector<std::string> classes;
    for (const std::int64_t element : elements) classes.push_back(evaluation.element_class(element));
    return classes;
  }

 private:
  DType format_;
};

}  // namespace

const Oracle& oracle(DType dtype) {
  return with_format(dtype, []<typename T, DType format>() -> const Oracle& {
    static const MsDeformAttnOracle<T> instance(format);
    return instance;
  });
}

}  // namespace deformdiff::ms_deform_attn
