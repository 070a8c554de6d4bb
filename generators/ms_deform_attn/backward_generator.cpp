// The operator's stream with gradients of its output.
#include "core/dtype_dispatch.h"
#include "generators/common/storage_layout.h"
#include "generators/ms_deform_attn/backward_triggers.h"
#include "generators/ms_deform_attn/backward_turns.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/gradients.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// At places where no case is a layout's turn, a sibling, or what one repeats.
constexpr std::uint64_t kTurnPeriod = 24, kTurnPlace = 4;

double largest_finite(const Tensor& tensor) {
  return with_floating(tensor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T largest = 0;
    for (const T x : tensor.values<T>()) {
      if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
    }
    return static_cast<double>(largest);
  });
}

class BackwardGenerator : public OperatorGenerator {
 public:
  BackwardGenerator() : OperatorGenerator(backward_block()) {}

  std::vector<TriggerClass> triggers() const override { return backward_trigger_classes(); }

  std::vector<std::string> triggers_hit(const Case& c) const override { return backward_triggers_hit(c); }

 protected:
  std::optional<Plan> turn(std::uint64_t index, Draw& draw) const override {
    if (index % kTurnPeriod != kTurnPlace) return std::nullopt;
    return backward_turn(index / kTurnPeriod, draw);
  }

  ExactBudget budget(const Sketch& sketch) const override { return exact_backward_budget(sketch); }

  void complete(Draw& draw, const CounterRandom& random, Case& c) const override {
    Tensor gradient = gradient_for(parse(c), c.provenance.tier, draw, random.stream(5));
    c.block = backward_block().name();
    c.inputs.push_back({"grad_output", std::move(gradient)});
  }

  void complete_outline(Case& c) const override {
    const Problem p = parse(c);
    c.block = backward_block().name();
    c.inputs.push_back({"grad_output", repeated_zero(p.dtype, {p.dims.N, p.dims.Q, p.dims.M * p.dims.D})});
  }

 private:
  Tensor gradient_for(const Problem& p, const std::string& tier, Draw& draw,
                      const CounterRandom& random) const {
    const Dims& d = p.dims;
    if (tier == "exact") {
      const Shape shape{d.N, d.Q, d.M * d.D};
      if (draw.chance(20)) return repeated(1, p.dtype, shape);
      return make_exact_gradient(p.dtype, shape, budget({p.dtype, d, p.levels}).gradient, random);
    }
    if (tier == "huge") return make_gradient(d, p.dtype, GradientStyle::kNormal, random);
    if (tier == "typical") {
      const auto style =
          draw.one_of<GradientStyle>({GradientStyle::kNormal, GradientStyle::kNormal, GradientStyle::kNormal,
                                      GradientStyle::kOnes, GradientStyle::kMean});
      return make_gradient(d, p.dtype, style, random);
    }
    const GradientStyle style = draw_gradient_style(draw, largest_finite(p.value), p.dtype);
    const Tensor gradient = make_gradient(d, p.dtype, style, random);
    if (tier != "nonfinite" || draw.chance(60)) return gradient;
    return with_nonfinite(gradient.contiguous(), d.D, draw);
  }
};

}  // namespace

const Generator& backward_generator() {
  static const BackwardGenerator instance;
  return instance;
}

}  // namespace deformdiff::ms_deform_attn
