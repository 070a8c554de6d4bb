#include "oracles/ms_deform_attn/backward/oracle.h"

#include "core/dtype_dispatch.h"
#include "core/telling.h"
#include "oracles/arithmetic/parallel.h"
#include "oracles/ms_deform_attn/backward/kinds.h"
#include "oracles/ms_deform_attn/backward/value_gradient.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// Queries that one chunk of work takes.
constexpr std::int64_t kQueriesPerChunk = 64;

/// Sampling points that an explanation lists.
constexpr std::size_t kPointsListed = 32;

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

template <typename Scalar>
void store(Scalar value, double bound, std::size_t at, OutputReference& output) {
  output.value[at] = static_cast<double>(value);
  if (!output.value_low.empty())
    output.value_low[at] = static_cast<double>(value - static_cast<Scalar>(output.value[at]));
  output.bound[at] = bound;
}

/// An element that may be anything.
void admit_anything(std::size_t at, OutputReference& output) {
  output.admits[at] = kAdmitsAnything;
  output.bound[at] = std::numeric_limits<double>::max();
}

/// What an element counts for rule 7, by the widest of its intervals.
void count(const OutputReference& output, std::size_t at, double bound, double magnitude, bool reached,
           bool nonzero, const Rounding& rounding, Tally& tally) {
  const std::uint8_t admits =
      output.admits.empty() ? static_cast<std::uint8_t>(kAdmitsFinite) : output.admits[at];
  const bool nonfinite = (admits & (kAdmitsFinite | kAdmitsAnything)) == 0;
  const bool narrow =
      admits == kAdmitsFinite && magnitude > 0 && derived_sets(rounding.unit).is_narrow(bound, magnitude);
  tally.count(narrow || nonfinite, reached || nonfinite, nonzero || nonfinite);
}

Reference summed_up(OutputReference output, const std::vector<Tally>& tallies, const Rounding& rounding) {
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
      if (!overflows.empty() && overflows[i]) admit_anything(at, output);
      count(output, at, sums.bound[i], sums.magnitude[i], sums.terms[i] > 0, sums.value[i] != 0,
            inputs_.rounding(), tally);
    }
  }

  BackwardInputs<T> inputs_;
  GradientKinds<T> kinds_;
  bool may_overflow_ = false;
};

/// What location and weight gradients have in common: elements by sampling points.
template <typename T>
class PointEvaluation {
 public:
  Reference refer(int threads) const {
    const Dims& dims = inputs_.dims();
    OutputReference output = empty_output<T>("output", shape(), inputs_.special() || may_overflow_);
    const std::int64_t blocks = (dims.Q + kQueriesPerChunk - 1) / kQueriesPerChunk;
    std::vector<Tally> tallies(static_cast<std::size_t>(dims.N * blocks));
    std::vector<std::vector<Alternative>> alternatives(tallies.size());
    for_each_chunk(dims.N * blocks, threads, [&](std::int64_t chunk) {
      const std::int64_t first = (chunk / blocks * dims.Q + chunk % blocks * kQueriesPerChunk) * per_query();
      const std::int64_t last =
          (chunk / blocks * dims.Q + std::min(dims.Q, (chunk % blocks + 1) * kQueriesPerChunk)) * per_query();
      PointGradients<T> gradients(inputs_);
      const auto index = static_cast<std::size_t>(chunk);
      for (std::int64_t element = first; element < last; ++element)
        refer_element(gradients, element, output, alternatives[index], tallies[index]);
    });
    for (const auto& part : alternatives)
      output.alternatives.insert(output.alternatives.end(), part.begin(), part.end());
    return summed_up(std::move(output), tallies, inputs_.rounding());
  }

  Explanation explain(std::int64_t element) const {
    const Place at = place(element);
    PointGradients<T> gradients(inputs_);
    PointGradient<Wide<T>> result;
    const Point<Wide<T>> point = evaluate(gradients, at, result);
    Explanation explanation;
    const auto& shown = result.intervals.front();
    explanation.terms = shown.parts.named(shown.margin, shown.exact);
    if (const std::string kinds = describe_kinds(admits(gradients, at, point)); !kinds.empty())
      explanation.lines.push_back(kinds);
    explanation.lines.push_back(
        fmt::format("batch {}, query {}, head {}", at.group.n, at.group.q, at.group.m));
    explanation.lines.push_back(describe(point, inputs_.forward().level(at.level)));
    for (const auto& interval : result.intervals) {
      explanation.lines.push_back(fmt::format("may be {:.9g} +- {:.3g}{}",
                                              static_cast<double>(interval.value), interval.bound(),
                                              interval.exact ? ": exact, no evaluation rounds" : ""));
    }
    return explanation;
  }

  std::string element_class(std::int64_t element) const {
    const Place at = place(element);
    PointGradients<T> gradients(inputs_);
    Point<Wide<T>> point;
    const bool located = inputs_.locate(at.group, at.level, at.point, point);
    if (admits(gradients, at, point) != kAdmitsFinite) return "nonfinite";
    return located ? class_of(point, inputs_.forward().level(at.level)) : "outside";
  }

 protected:
  struct Place {
    GroupIndex group;
    std::int64_t level, point;
    Axis axis;
  };

  PointEvaluation(const Case& c, DType format, const Precision& precision, const Contract& contract,
                  std::int64_t components)
      : inputs_(c, format, precision, contract), kinds_(inputs_), components_(components) {
    const Dims& dims = inputs_.dims();
    double longest = 1;
    for (std::int64_t l = 0; l < dims.L; ++l) {
      const Level& level = inputs_.forward().level(l);
      longest = std::max(longest, static_cast<double>(std::max(level.width, level.height)));
    }
    may_overflow_ = may_overflow(inputs_, static_cast<double>(dims.D),
                                 longest * std::max(1.0, inputs_.forward().largest_value()));
  }
  ~PointEvaluation() = default;
  PointEvaluation(const PointEvaluation&) = delete;
  PointEvaluation& operator=(const PointEvaluation&) = delete;

  virtual void find(PointGradients<T>& gradients, const Place& at, const Point<Wide<T>>& point,
                    PointGradient<Wide<T>>& result) const = 0;
  virtual std::uint8_t kinds(const GradientKinds<T>& of, const Place& at) const = 0;
  virtual bool overflows(const PointGradients<T>& gradients, const Place& at,
                         const Point<Wide<T>>& point) const = 0;

 private:
  Shape shape() const {
    const Dims& dims = inputs_.dims();
    Shape shape{dims.N, dims.Q, dims.M, dims.L, dims.P};
    if (components_ > 1) shape.push_back(components_);
    return shape;
  }
  std::int64_t per_query() const {
    return inputs_.dims().M * inputs_.dims().L * inputs_.dims().P * components_;
  }
  Place place(std::int64_t element) const {
    const Dims& dims = inputs_.dims();
    DEFORMDIFF_CHECK(element >= 0 && element < dims.N * dims.Q * per_query());
    const std::int64_t point = element / components_, level = point / dims.P, head = level / dims.L;
    return {{head / dims.M / dims.Q, head / dims.M % dims.Q, head % dims.M},
            level % dims.L,
            point % dims.P,
            element % components_ == 0 ? Axis::kX : Axis::kY};
  }

  /// A location that is not finite has the gradient 0, beside what its kinds are.
  Point<Wide<T>> evaluate(PointGradients<T>& gradients, const Place& at,
                          PointGradient<Wide<T>>& result) const {
    Point<Wide<T>> point;
    result = {};
    if (inputs_.locate(at.group, at.level, at.point, point)) {
      find(gradients, at, point, result);
    } else {
      result.intervals.emplace_back();
    }
    return point;
  }

  std::uint8_t admits(const PointGradients<T>& gradients, const Place& at,
                      const Point<Wide<T>>& point) const {
    if (may_overflow_ && overflows(gradients, at, point)) return kAdmitsAnything;
    return inputs_.special() ? kinds(kinds_, at) : static_cast<std::uint8_t>(kAdmitsFinite);
  }

  void refer_element(PointGradients<T>& gradients, std::int64_t element, OutputReference& output,
                     std::vector<Alternative>& alternatives, Tally& tally) const {
    const Place at = place(element);
    PointGradient<Wide<T>> result;
    const Point<Wide<T>> point = evaluate(gradients, at, result);
    const auto index = static_cast<std::size_t>(element);
    const auto& first = result.intervals.front();
    store(first.value, first.bound(), index, output);
    if (!output.admits.empty()) {
      output.admits[index] = admits(gradients, at, point);
      if (output.admits[index] == kAdmitsAnything) admit_anything(index, output);
    }
    double widest = 0;
    bool nonzero = false;
    for (const auto& interval : result.intervals) {
      widest = std::max(widest, interval.bound());
      nonzero = nonzero || interval.value != 0;
      if (&interval == &first || (!output.admits.empty() && (output.admits[index] & kAdmitsFinite) == 0))
        continue;
      const auto value = static_cast<double>(interval.value);
      alternatives.push_back({element, value,
                              static_cast<double>(interval.value - static_cast<Wide<T>>(value)),
                              interval.bound()});
    }
    count(output, index, widest, result.magnitude, result.reached, nonzero, inputs_.rounding(), tally);
  }

 protected:
  BackwardInputs<T> inputs_;

 private:
  GradientKinds<T> kinds_;
  std::int64_t components_;
  bool may_overflow_ = false;
};

template <typename T>
class LocationEvaluation : public PointEvaluation<T> {
  using typename PointEvaluation<T>::Place;

 public:
  LocationEvaluation(const Case& c, DType format, const Precision& precision, const Contract& contract)
      : PointEvaluation<T>(c, format, precision, contract, 2) {}

 protected:
  void find(PointGradients<T>& gradients, const Place& at, const Point<Wide<T>>& point,
            PointGradient<Wide<T>>& result) const override {
    gradients.of_location(at.group, point, at.axis, result);
  }
  std::uint8_t kinds(const GradientKinds<T>& of, const Place& at) const override {
    return of.of_location(at.group, at.level, at.point, at.axis);
  }
  bool overflows(const PointGradients<T>& gradients, const Place& at,
                 const Point<Wide<T>>& point) const override {
    return gradients.location_overflows(at.group, point, at.axis);
  }
};

template <typename T>
class WeightEvaluation : public PointEvaluation<T> {
  using typename PointEvaluation<T>::Place;

 public:
  WeightEvaluation(const Case& c, DType format, const Precision& precision, const Contract& contract)
      : PointEvaluation<T>(c, format, precision, contract, 1) {}

 protected:
  void find(PointGradients<T>& gradients, const Place& at, const Point<Wide<T>>& point,
            PointGradient<Wide<T>>& result) const override {
    gradients.of_weight(at.group, point, result);
  }
  std::uint8_t kinds(const GradientKinds<T>& of, const Place& at) const override {
    return of.of_weight(at.group, at.level, at.point);
  }
  bool overflows(const PointGradients<T>& gradients, const Place& at,
                 const Point<Wide<T>>& point) const override {
    return gradients.weight_overflows(at.group, point);
  }
};

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

template <template <typename> typename Evaluation>
const Oracle& oracle_of(DType dtype) {
  return with_format(dtype, []<typename T, DType format>() -> const Oracle& {
    static const GradientOracle<Evaluation<T>> instance(format);
    return instance;
  });
}

}  // namespace

const Oracle& value_gradient_oracle(DType dtype) {
  return oracle_of<ValueEvaluation>(dtype);
}
const Oracle& location_gradient_oracle(DType dtype) {
  return oracle_of<LocationEvaluation>(dtype);
}
const Oracle& weight_gradient_oracle(DType dtype) {
  return oracle_of<WeightEvaluation>(dtype);
}

}  // namespace deformdiff::ms_deform_attn
