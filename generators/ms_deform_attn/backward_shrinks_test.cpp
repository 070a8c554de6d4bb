#include "blocks/ms_deform_attn.h"
#include "generators/common/storage_layout.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/gradients.h"
#include "generators/ms_deform_attn/locations.h"
#include "generators/ms_deform_attn/reduce_greedily_test.h"
#include "generators/ms_deform_attn/shapes.h"
#include "generators/ms_deform_attn/simplicity.h"
#include "generators/ms_deform_attn/values.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// What a faulty backward does to a correct one's gradients of locations and weights.
struct Fault {
  bool swaps_sides = false;     ///< in the factor of a location's gradient
  bool loses_odd_tail = false;  ///< of the channels
  bool forgets_weight = false;  ///< in a location's gradient
  std::int64_t most_channels = 1 << 30;
};

/// Of one point: of its location, and of its weight.
struct PointGradient {
  double x = 0, y = 0, weight = 0, magnitude = 0;
};

PointGradient gradient_of(const BackwardProblem& backward, const Fault& fault, std::int64_t point) {
  const Problem& p = backward.forward;
  const Dims& d = p.dims;
  const Level& level = p.levels[static_cast<std::size_t>(point / d.P % d.L)];
  const std::int64_t group = point / (d.L * d.P), m = group % d.M, n = group / d.M / d.Q;
  const auto width = static_cast<double>(level.width), height = static_cast<double>(level.height);
  const double px = p.sampling_loc.element(2 * point) * width - 0.5;
  const double py = p.sampling_loc.element(2 * point + 1) * height - 0.5;
  PointGradient sum;
  if (!(px > -1 && py > -1 && px < width && py < height)) return sum;
  const double weight = fault.forgets_weight ? 1 : p.attn_weight.element(point);
  std::int64_t channels = std::min(d.D, fault.most_channels);
  if (fault.loses_odd_tail && channels > 1) channels = channels / 2 * 2;
  for (std::int64_t c = 0; c < channels; ++c) {
    const double g = backward.grad_output.element(group * d.D + c);
    for (int corner = 0; corner < 4; ++corner) {
      const auto column = static_cast<std::int64_t>(std::floor(px)) + corner % 2;
      const auto row = static_cast<std::int64_t>(std::floor(py)) + corner / 2;
      if (column < 0 || row < 0 || column >= level.width || row >= level.height) continue;
      const double near_x = 1 - std::abs(px - static_cast<double>(column));
      const double near_y = 1 - std::abs(py - static_cast<double>(row));
      const std::int64_t at = ((n * d.S + level.start + row * level.width + column) * d.M + m) * d.D + c;
      const double gv = g * p.value.element(at);
      sum.x += (corner % 2 == 0 ? -1 : 1) * near_y * gv * weight * (fault.swaps_sides ? height : width);
      sum.y += (corner / 2 == 0 ? -1 : 1) * near_x * gv * weight * (fault.swaps_sides ? width : height);
      sum.weight += near_x * near_y * gv;
      sum.magnitude += std::abs(gv) * (1 + std::abs(weight) * (width + height));
    }
  }
  return sum;
}

/// Whether a gradient differs by more than rounding.
Fails fails_by(const Fault& fault) {
  return [fault](const Case& c) {
    const BackwardProblem p = parse_backward(c);
    for (std::int64_t point = 0; point < p.forward.attn_weight.elements(); ++point) {
      const PointGradient right = gradient_of(p, {}, point), wrong = gradient_of(p, fault, point);
      const double rounding = 1e-5 * (right.magnitude + wrong.magnitude);
      if (std::abs(right.x - wrong.x) > rounding || std::abs(right.y - wrong.y) > rounding ||
          std::abs(right.weight - wrong.weight) > rounding)
        return true;
    }
    return false;
  };
}

/// Batch 2, 12 queries, 3 heads of 35 channels, 2 levels, 3 points.
Case large_seed(std::uint64_t seed) {
  Sketch s;
  s.dims = {2, 0, 3, 35, 12, 2, 3};
  s.levels = {{5, 7, 0}, {9, 6, 35}};
  s.dims.S = 89;
  LocationStyle style{};
  style.mix = mix_of({{Place::kAround, 1}});
  const CounterRandom random(seed);
  Case c = assemble(s, make_value(s, ValueStyle::kNormal, random.stream(1)),
                    make_locations(s, style, random.stream(2)),
                    make_weights(s, WeightStyle::kNormalised, random.stream(3)));
  c.block = backward_block().name();
  c.inputs.push_back(
      {"grad_output", make_gradient(s.dims, s.dtype, GradientStyle::kNormal, random.stream(5))});
  return c;
}

struct Expectation {
  std::string name;
  Fault fault;
  std::int64_t most_elements;  ///< of the whole smallest case
};

class PlantedBackwardFault : public testing::TestWithParam<Expectation> {};

TEST_P(PlantedBackwardFault, ReachesItsMinimumWithin300Evaluations) {
  const Expectation& expected = GetParam();
  std::set<std::string> normal_forms;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const Case original = large_seed(seed);
    const Fails fails = fails_by(expected.fault);
    ASSERT_TRUE(fails(original));
    const Greedy reduced = reduce_greedily(original, fails);
    const std::string text = describe(reduced.smallest);
    EXPECT_LE(reduced.evaluations, 300) << text;
    EXPECT_LE(element_count(reduced.smallest), expected.most_elements) << text;
    normal_forms.insert(text);
  }
  EXPECT_EQ(normal_forms.size(), 1U) << *normal_forms.begin() << "\n" << *normal_forms.rbegin();
}

INSTANTIATE_TEST_SUITE_P(Shrinks, PlantedBackwardFault,
                         testing::Values(Expectation{"swaps_sides", {.swaps_sides = true}, 9},
                                         Expectation{"loses_odd_tail", {.loses_odd_tail = true}, 12},
                                         Expectation{"forgets_weight", {.forgets_weight = true}, 8},
                                         Expectation{"most_channels", {.most_channels = 32}, 72}),
                         [](const auto& info) { return info.param.name; });

TEST(BackwardShrinks, FindOneElementOfTheGradient) {
  const Case original = large_seed(1);
  const double wanted = original.input("grad_output").element(1741);
  const Greedy reduced = reduce_greedily(original, [&](const Case& c) {
    const Tensor& left = c.input("grad_output");
    for (std::int64_t i = 0; i < left.elements(); ++i) {
      if (left.element(i) == wanted) return true;
    }
    return false;
  });
  EXPECT_LE(reduced.evaluations, 60);
  EXPECT_EQ(element_count(reduced.smallest), 8) << describe(reduced.smallest);
}

TEST(BackwardShrinks, KeepAnExpandedGradientThatTheFaultNeeds) {
  Case c = large_seed(2);
  const Tensor& gradient = c.inputs.back().tensor;
  c.inputs.back().tensor = repeated(1, gradient.dtype(), gradient.shape());
  c.inputs[0].tensor = with_storage_layout(c.inputs[0].tensor, StorageLayout::kTransposed, CounterRandom(4));
  const auto fails = [](const Case& smaller) {
    const Tensor& left = smaller.input("grad_output");
    return left.elements() > 1 && !left.is_contiguous();
  };
  ASSERT_TRUE(fails(c));
  const Greedy reduced = reduce_greedily(c, fails);
  EXPECT_LE(reduced.evaluations, 100);
  EXPECT_LE(element_count(reduced.smallest), 13) << describe(reduced.smallest);
  EXPECT_TRUE(reduced.smallest.input("value").is_contiguous());
}

TEST(BackwardShrinks, EveryCandidateIsValidAndSimpler) {
  int tried = 0;
  for (std::uint64_t index = 0; index < 300; ++index) {
    const Case c = backward_generator().generate(5, {}, index);
    if (element_count(c) > 3000) continue;
    CaseStream stream = shrink_stream(c);
    for (int candidate = 0; candidate < 400; ++candidate) {
      const std::optional<Case> next = stream();
      if (!next) break;
      ++tried;
      ASSERT_NO_THROW(backward_block().validate(*next));
      ASSERT_TRUE(is_simpler(*next, c)) << "case " << index << ", candidate " << candidate << "\n"
                                        << describe(c) << "\nbecame\n"
                                        << describe(*next);
    }
  }
  EXPECT_GT(tried, 10000);
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
