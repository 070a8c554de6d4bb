#include "generators/ms_deform_attn/shrinks.h"

#include "blocks/ms_deform_attn.h"
#include "generators/common/storage_layout.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/locations.h"
#include "generators/ms_deform_attn/reduce_greedily_test.h"
#include "generators/ms_deform_attn/shapes.h"
#include "generators/ms_deform_attn/simplicity.h"
#include "generators/ms_deform_attn/values.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// What a faulty implementation does to a correct one's steps.
struct Fault {
  bool truncates = false;    ///< instead of the floor
  bool clamps = false;       ///< to the border pixel
  bool swaps_sides = false;  ///< height for width
  bool ignores_starts = false;
  std::int64_t most_channels = 1 << 30;
  std::int64_t most_points = 1 << 30;
  std::int64_t most_levels = 1 << 30;
  bool whole_steps_only = false;  ///< the rest of the batch is left out
};

struct Sum {
  double result = 0, magnitude = 0;
};

double pixel_at(const Problem& p, const Tensor& value, std::int64_t row, std::int64_t n, std::int64_t m,
                std::int64_t d) {
  const Dims& dims = p.dims;
  if (row < 0 || row >= dims.S) return 0;
  return value.element(((n * dims.S + row) * dims.M + m) * dims.D + d);
}

double sample(const Problem& p, const Fault& fault, const Level& level, double x, double y, std::int64_t n,
              std::int64_t m, std::int64_t d) {
  const std::int64_t height = fault.swaps_sides ? level.width : level.height;
  const std::int64_t width = fault.swaps_sides ? level.height : level.width;
  const double px = x * static_cast<double>(width) - 0.5;
  const double py = y * static_cast<double>(height) - 0.5;
  if (!(px > -1 && py > -1 && px < static_cast<double>(width) && py < static_cast<double>(height))) return 0;
  const double x0 = fault.truncates ? std::trunc(px) : std::floor(px);
  const double y0 = fault.truncates ? std::trunc(py) : std::floor(py);
  double sum = 0;
  for (int corner = 0; corner < 4; ++corner) {
    auto cx = static_cast<std::int64_t>(x0) + corner % 2;
    auto cy = static_cast<std::int64_t>(y0) + corner / 2;
    const double wx = corner % 2 == 0 ? 1 - (px - x0) : px - x0;
    const double wy = corner / 2 == 0 ? 1 - (py - y0) : py - y0;
    if (fault.clamps) {
      cx = std::clamp<std::int64_t>(cx, 0, width - 1);
      cy = std::clamp<std::int64_t>(cy, 0, height - 1);
    }
    if (cx < 0 || cy < 0 || cx >= width || cy >= height) continue;
    sum += wx * wy * pixel_at(p, p.value, level.start + cy * width + cx, n, m, d);
  }
  return sum;
}

Sum output(const Problem& p, const Fault& fault, std::int64_t n, std::int64_t q, std::int64_t m,
           std::int64_t d) {
  const Dims& dims = p.dims;
  Sum sum;
  if (d >= fault.most_channels) return sum;
  if (fault.whole_steps_only) {
    const std::int64_t step = std::min(p.im2col_step, dims.N);
    if (n >= dims.N / step * step) return sum;
  }
  std::int64_t row = 0;
  for (std::int64_t l = 0; l < std::min(dims.L, fault.most_levels); ++l) {
    Level level = p.levels[static_cast<std::size_t>(l)];
    if (fault.ignores_starts) level.start = row;
    row += level.height * level.width;
    for (std::int64_t k = 0; k < std::min(dims.P, fault.most_points); ++k) {
      const std::int64_t at = (((n * dims.Q + q) * dims.M + m) * dims.L + l) * dims.P + k;
      const double weight = p.attn_weight.element(at);
      const double sampled = sample(p, fault, level, p.sampling_loc.element(2 * at),
                                    p.sampling_loc.element(2 * at + 1), n, m, d);
      sum.result += weight * sampled;
      sum.magnitude += std::abs(weight * sampled);
    }
  }
  return sum;
}

/// Whether an output differs by more than rounding. Looks at the case's elements with its strides.
Fails fails_by(const Fault& fault) {
  return [fault](const Case& c) {
    const Problem p = parse(c);
    const Dims& dims = p.dims;
    for (std::int64_t n = 0; n < dims.N; ++n) {
      for (std::int64_t q = 0; q < dims.Q; ++q) {
        for (std::int64_t m = 0; m < dims.M; ++m) {
          for (std::int64_t d = 0; d < dims.D; ++d) {
            const Sum right = output(p, Fault{}, n, q, m, d);
            const Sum wrong = output(p, fault, n, q, m, d);
            if (std::abs(right.result - wrong.result) > 1e-5 * (right.magnitude + wrong.magnitude))
              return true;
          }
        }
      }
    }
    return false;
  };
}

/// 200,000 floats: batch 4, 24 queries, 8 heads of 40 channels, 3 levels, 5 points.
Case large_seed(std::uint64_t seed, std::int64_t step = 64) {
  Sketch s;
  s.dims = {4, 0, 8, 40, 24, 3, 5};
  s.im2col_step = step;
  s.levels = {{5, 7, 0}, {9, 6, 35}, {3, 11, 89}};
  s.dims.S = 122;
  LocationStyle style{};
  style.mix = mix_of({{Place::kAround, 1}});
  const CounterRandom random(seed);
  return assemble(s, make_value(s, ValueStyle::kNormal, random.stream(1)),
                  make_locations(s, style, random.stream(2)),
                  make_weights(s, WeightStyle::kNormalised, random.stream(3)));
}

struct Expectation {
  std::string name;
  Fault fault;
  std::int64_t step;
  std::int64_t most_elements;  ///< of the whole smallest case
};

class PlantedFault : public testing::TestWithParam<Expectation> {};

TEST_P(PlantedFault, ReachesItsMinimumWithin300Evaluations) {
  const Expectation& expected = GetParam();
  std::set<std::string> normal_forms;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const Case original = large_seed(seed, expected.step);
    const Fails fails = fails_by(expected.fault);
    ASSERT_TRUE(fails(original));
    const Greedy reduced = reduce_greedily(original, fails);
    const std::string text = describe(reduced.smallest);
    RecordProperty("evaluations", reduced.evaluations);
    EXPECT_LE(reduced.evaluations, 300) << text;
    EXPECT_LE(element_count(reduced.smallest), expected.most_elements) << text;
    normal_forms.insert(text);
  }
  EXPECT_EQ(normal_forms.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Shrinks, PlantedFault,
                         testing::Values(Expectation{"truncates", {.truncates = true}, 64, 8},
                                         Expectation{"clamps", {.clamps = true}, 64, 8},
                                         Expectation{"swaps_sides", {.swaps_sides = true}, 64, 10},
                                         Expectation{"most_channels", {.most_channels = 32}, 64, 39},
                                         Expectation{"most_points", {.most_points = 4}, 64, 19},
                                         Expectation{"most_levels", {.most_levels = 2}, 64, 21},
                                         Expectation{"whole_steps_only", {.whole_steps_only = true}, 3, 15}),
                         [](const auto& info) { return info.param.name; });

TEST(Shrinks, FindsOneElementAmong200000) {
  const Case original = large_seed(1);
  const Tensor& value = original.input("value");
  const double wanted = value.element(117341);
  const Greedy reduced = reduce_greedily(original, [&](const Case& c) {
    const Tensor& left = c.input("value");
    for (std::int64_t i = 0; i < left.elements(); ++i) {
      if (left.element(i) == wanted) return true;
    }
    return false;
  });
  EXPECT_LE(reduced.evaluations, 60);
  EXPECT_EQ(element_count(reduced.smallest), 7) << describe(reduced.smallest);
}

TEST(Shrinks, KeepsALayoutThatTheFaultNeeds) {
  Case c = large_seed(2);
  c.inputs[0].tensor = with_storage_layout(c.inputs[0].tensor, StorageLayout::kTransposed, CounterRandom(4));
  c.inputs[4].tensor = with_storage_layout(c.inputs[4].tensor, StorageLayout::kSliced, CounterRandom(5));
  const auto fails = [](const Case& smaller) { return !smaller.input("value").is_contiguous(); };
  ASSERT_TRUE(fails(c));
  const Greedy reduced = reduce_greedily(c, fails);
  EXPECT_LE(reduced.evaluations, 100);
  EXPECT_LE(element_count(reduced.smallest), 13) << describe(reduced.smallest);
  EXPECT_TRUE(reduced.smallest.input("attn_weight").is_contiguous());
}

TEST(Shrinks, EveryCandidateIsValidAndSimpler) {
  for (std::uint64_t index = 0; index < 300; ++index) {
    const Case c = generator().generate(5, {}, index);
    if (element_count(c) > 3000) continue;
    CaseStream stream = shrink_stream(c);
    for (int tried = 0; tried < 400; ++tried) {
      const std::optional<Case> next = stream();
      if (!next) break;
      ASSERT_NO_THROW(block().validate(*next));
      ASSERT_TRUE(is_simpler(*next, c)) << "case " << index << ", candidate " << tried << "\n"
                                        << describe(c) << "\nbecame\n"
                                        << describe(*next);
    }
  }
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
