#include "oracles/arithmetic/parallel.h"
#include "oracles/ms_deform_attn/backward/evaluation.h"
#include "oracles/ms_deform_attn/backward/kinds.h"
#include "oracles/ms_deform_attn/backward/oracle.h"
#include "oracles/ms_deform_attn/backward/point_gradients.h"

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// Queries that one chunk of work takes.
constexpr std::int64_t kQueriesPerChunk = 64;

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
      // Near the largest double the bound's own sums overflow first.
      const bool known = std::ranges::all_of(
          result.intervals, [](const auto& interval) { return std::isfinite(interval.bound()); });
      if (output.admits[index] == kAdmitsAnything || !known) admit_anything(index, output);
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

}  // namespace

const Oracle& location_gradient_oracle(DType dtype) {
  return oracle_of<LocationEvaluation>(dtype);
}
const Oracle& weight_gradient_oracle(DType dtype) {
  return oracle_of<WeightEvaluation>(dtype);
}

}  // namespace deformdiff::ms_deform_attn
