#include "oracles/ms_deform_attn/oracle.h"

#include "oracles/ms_deform_attn/test_cases.h"

#include <cmath>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

Reference refer(const Case& c, const Precision& precision = {}, const Contract& contract = {},
                int threads = 1) {
  return oracle(c.input("value").dtype()).evaluate(c, precision, contract, threads);
}

OutputReference output_of(const Case& c, const Contract& contract = {}) {
  return refer(c, {}, contract).outputs[0];
}

/// One query, head and channel; one level of height x width with the given pixels.
PlainCase<float> one_level(std::int64_t height, std::int64_t width, std::vector<float> pixels) {
  PlainCase<float> c;
  c.set_levels({{height, width}});
  c.resize();
  c.value = std::move(pixels);
  return c;
}

TEST(MsDeformAttnOracle, PixelCentresGiveThePixels) {
  PlainCase<float> c = one_level(2, 4, {1, 2, 3, 4, 5, 6, 7, 8});
  for (int x = 0; x < 4; ++x) {
    for (int y = 0; y < 2; ++y) {
      c.locations = {(static_cast<float>(x) + 0.5F) / 4, (static_cast<float>(y) + 0.5F) / 2};
      const OutputReference output = output_of(c.build());
      EXPECT_EQ(output.value[0], 1 + x + 4 * y);
      EXPECT_EQ(output.bound[0], 0);
    }
  }
}

TEST(MsDeformAttnOracle, ASumThatTheOracleRoundsIsNotTakenForExact) {
  // 2 loc - 1 is 5e-20 from a double: lost in extended precision, and enlarged by half the width.
  constexpr double location = -7.62951094834821e-06;
  PlainCase<double> c;
  c.set_levels({{1, 14530}});
  c.resize();
  c.value[0] = 1;
  c.locations = {location, 0.5};
  Precision precision;
  precision.coordinates = Coordinates::kGridSample;
  const OutputReference output = refer(c.build(), precision).outputs[0];
  const double grid = 2 * location - 1;
  const double weight = ((grid + 1) * 7265 - 0.5) + 1;
  EXPECT_LE(std::fabs((weight - output.value[0]) - output.value_low[0]), output.bound[0]);
}

TEST(MsDeformAttnOracle, PixelsOutsideTheMapAreZero) {
  PlainCase<float> c = one_level(1, 1, {8});
  c.locations = {0, 0};  // x = y = -1/2: a quarter of the pixel
  EXPECT_EQ(output_of(c.build()).value[0], 2);
  c.locations = {-0.5F, 0.5F};  // x = -1
  EXPECT_EQ(output_of(c.build()).value[0], 0);
  c.locations = {1.5F, 0.5F};  // x = 1
  EXPECT_EQ(output_of(c.build()).value[0], 0);
}

TEST(MsDeformAttnOracle, RampsAreInterpolatedExactly) {
  PlainCase<double> c;
  c.dims.Q = 50;
  c.set_levels({{7, 9}});
  c.resize();
  for (std::int64_t y = 0; y < 7; ++y) {
    for (std::int64_t x = 0; x < 9; ++x)
      c.at(0, y * 9 + x, 0, 0) = 3 + 2 * static_cast<double>(x) - static_cast<double>(y);
  }
  Dice dice(1);
  for (std::size_t i = 0; i < c.locations.size(); i += 2) {
    c.locations[i] = dice.uniform(0.6 / 9, 8.4 / 9);
    c.locations[i + 1] = dice.uniform(0.6 / 7, 6.4 / 7);
  }
  const OutputReference output = output_of(c.build());
  for (std::size_t q = 0; q < 50; ++q) {
    const long double x = 9 * static_cast<long double>(c.locations[2 * q]) - 0.5L;
    const long double y = 7 * static_cast<long double>(c.locations[2 * q + 1]) - 0.5L;
    const long double value = static_cast<long double>(output.value[q]) + output.value_low[q];
    EXPECT_NEAR(static_cast<double>(value - (3 + 2 * x - y)), 0, 1e-17);
    EXPECT_LE(output.bound[q], 1e-13);
  }
}

TEST(MsDeformAttnOracle, WeightsAreLinearAndOneHotWeightsSelect) {
  PlainCase<float> c = tricky_case<float>(8);
  Dice dice(3);
  for (float& v : c.value) v = static_cast<float>(dice.uniform(-1, 1));
  PlainCase<float> doubled = c;
  for (float& a : c.weights) a = static_cast<float>(dice.uniform(0, 1));
  for (std::size_t i = 0; i < c.weights.size(); ++i) doubled.weights[i] = 2 * c.weights[i];
  const OutputReference once = output_of(c.build()), twice = output_of(doubled.build());
  for (std::size_t i = 0; i < once.value.size(); ++i) EXPECT_EQ(2 * once.value[i], twice.value[i]);

  const auto points = static_cast<std::size_t>(c.dims.L * c.dims.P);
  std::vector<double> sum(once.value.size(), 0);
  for (std::size_t chosen = 0; chosen < points; ++chosen) {
    PlainCase<float> one_hot = c;
    for (std::size_t i = 0; i < c.weights.size(); ++i)
      one_hot.weights[i] = i % points == chosen ? c.weights[i] : 0;
    const OutputReference part = output_of(one_hot.build());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part.value[i];
  }
  for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_NEAR(sum[i], once.value[i], 1e-13);
}

TEST(MsDeformAttnOracle, QueriesPermute) {
  PlainCase<float> c = tricky_case<float>(5);
  c.dims.N = 1;
  c.dims.Q = 3;
  c.resize();
  Dice dice(4);
  for (float& v : c.value) v = static_cast<float>(dice.uniform(-1, 1));
  for (float& t : c.locations) t = static_cast<float>(dice.uniform(0, 1));
  PlainCase<float> rotated = c;
  const auto per_query = static_cast<std::ptrdiff_t>(c.locations.size() / 3);
  std::rotate(rotated.locations.begin(), rotated.locations.begin() + per_query, rotated.locations.end());
  OutputReference expected = output_of(c.build());
  const OutputReference got = output_of(rotated.build());
  const auto width = static_cast<std::ptrdiff_t>(expected.value.size() / 3);
  std::rotate(expected.value.begin(), expected.value.begin() + width, expected.value.end());
  std::rotate(expected.bound.begin(), expected.bound.begin() + width, expected.bound.end());
  EXPECT_EQ(expected.value, got.value);
  EXPECT_EQ(expected.bound, got.bound);
}

TEST(MsDeformAttnOracle, StridesDoNotMatter) {
  const PlainCase<float> plain = tricky_case<float>(21);
  const Case c = plain.build();
  Case strided = c;
  // The same elements with the channel axis outermost in memory and some rows skipped in front.
  const Dims& k = plain.dims;
  std::vector<float> storage(static_cast<std::size_t>(k.N * k.S * k.M * k.D + 3), 99);
  const Shape strides{k.S * k.M, k.M, 1, k.N * k.S * k.M};
  for (std::int64_t i = 0; i < k.N * k.S * k.M; ++i) {
    for (std::int64_t d = 0; d < k.D; ++d) {
      storage[static_cast<std::size_t>(3 + i + d * strides[3])] =
          plain.value[static_cast<std::size_t>(i * k.D + d)];
    }
  }
  const auto raw = std::as_bytes(std::span<const float>(storage));
  strided.inputs[0].tensor = Tensor(DType::kFloat32, c.input("value").shape(), strides, 3,
                                    std::make_shared<const Tensor::Bytes>(raw.begin(), raw.end()));
  EXPECT_EQ(output_of(c).value, output_of(strided).value);
  EXPECT_EQ(output_of(c).bound, output_of(strided).bound);
}

TEST(MsDeformAttnOracle, ThreadsDoNotMatter) {
  PlainCase<float> c;
  c.dims = {2, 0, 2, 3, 700, 1, 2};
  c.set_levels({{5, 6}, {3, 2}});
  c.resize();
  Dice dice(9);
  for (float& v : c.value) v = static_cast<float>(dice.uniform(-1, 1));
  for (float& t : c.locations) t = static_cast<float>(dice.uniform(-0.2, 1.2));
  const Reference one = refer(c.build(), {}, {}, 1), two = refer(c.build(), {}, {}, 2);
  EXPECT_EQ(one.outputs[0].value, two.outputs[0].value);
  EXPECT_EQ(one.outputs[0].bound, two.outputs[0].bound);
  EXPECT_EQ(one.telling_elements, two.telling_elements);
}

TEST(MsDeformAttnOracle, LevelStartIndexIsHonouredOrIgnored) {
  PlainCase<float> c;
  c.set_levels({{1, 1}, {1, 1}});
  c.resize();
  c.value = {1, 10};
  c.weights = {1, 2};
  std::swap(c.levels[0].start, c.levels[1].start);
  EXPECT_EQ(output_of(c.build()).value[0], 12);
  Contract ignores;
  ignores.level_start_index = LevelStartIndex::kIgnored;
  EXPECT_EQ(output_of(c.build(), ignores).value[0], 21);
  c.levels[1].start = c.levels[0].start;  // both levels on one row; the running starts still fit
  EXPECT_EQ(output_of(c.build(), ignores).value[0], 21);
  c.dims.S = 1;
  c.value = {1};
  c.levels[0].start = c.levels[1].start = 0;
  EXPECT_EQ(output_of(c.build()).value[0], 3);
  EXPECT_THROW(output_of(c.build(), ignores), InputError);
}

TEST(MsDeformAttnOracle, DeclaredCoordinatesNarrowTheBound) {
  PlainCase<float> c = one_level(300, 300, std::vector<float>(90000));
  Dice dice(2);
  for (float& v : c.value) v = static_cast<float>(dice.uniform(-1, 1));
  c.locations = {0.1123F, 0.2371F};  // 2 loc - 1 rounds only below 1/4
  const auto bound = [&](Coordinates coordinates) {
    Precision precision;
    precision.coordinates = coordinates;
    return refer(c.build(), precision).outputs[0].bound[0];
  };
  EXPECT_LT(bound(Coordinates::kFused), bound(Coordinates::kGridSample));
  EXPECT_LT(bound(Coordinates::kGridSample), bound(Coordinates::kAny));
}

TEST(MsDeformAttnOracle, ExplanationAddsUpToTheBound) {
  for (const std::uint64_t key : {2U, 11U, 17U, 40U}) {
    const PlainCase<float> c = tricky_case<float>(key);
    const OutputReference output = output_of(c.build());
    for (std::size_t i = 0; i < output.bound.size(); ++i) {
      const Explanation why =
          oracle(DType::kFloat32).explain(c.build(), {}, {}, static_cast<std::int64_t>(i));
      double sum = 0;
      for (std::size_t t = 0; t < why.terms.size(); ++t) {
        sum += why.terms[t].second;
        if (t > 0) {
          EXPECT_LE(why.terms[t].second, why.terms[t - 1].second);
        }
      }
      EXPECT_NEAR(sum, output.bound[i], 1e-9 * output.bound[i]);
      EXPECT_GE(why.lines.size(), 2U);
    }
  }
}

TEST(MsDeformAttnOracle, ExplanationNamesCellAndCorners) {
  PlainCase<float> c = one_level(2, 3, {1, 2, 3, 4, 5, 6});
  c.locations = {0.6F, 0.5F};
  const Explanation why = oracle(DType::kFloat32).explain(c.build(), {}, {}, 0);
  ASSERT_EQ(why.lines.size(), 3U);
  EXPECT_NE(why.lines[1].find("level 0 (2x3) point 0"), std::string::npos) << why.lines[1];
  EXPECT_NE(why.lines[1].find("cell (1, 0)"), std::string::npos) << why.lines[1];
  EXPECT_NE(why.lines[1].find("* 6 (x 2, y 1)"), std::string::npos) << why.lines[1];
}

TEST(MsDeformAttnOracle, ElementClasses) {
  PlainCase<float> c = one_level(4, 4, std::vector<float>(16, 1.5F));
  const auto class_at = [&](float x, float y) {
    c.locations = {x, y};
    const std::vector<std::int64_t> first{0};
    return oracle(DType::kFloat32).element_classes(c.build(), first).front();
  };
  EXPECT_EQ(class_at(0.4F, 0.6F), "interior");
  EXPECT_EQ(class_at(0.01F, 0.6F), "border");
  EXPECT_EQ(class_at(0.5F, 1.1F), "border");
  EXPECT_EQ(class_at(0.5F, 2.0F), "outside");
  EXPECT_EQ(class_at(0.5F, std::nanf("")), "nonfinite");
  c.value[15] = std::nanf("");
  EXPECT_EQ(class_at(0.9F, 0.9F), "nonfinite");
  EXPECT_EQ(class_at(0.2F, 0.2F), "interior");
}

TEST(MsDeformAttnOracle, VacuousCasesSayWhy) {
  PlainCase<float> c = one_level(4, 4, std::vector<float>(16, 1.5F));
  EXPECT_EQ(refer(c.build()).vacuous, "");
  EXPECT_EQ(refer(c.build()).telling_elements, 1);
  c.locations = {5, 5};
  EXPECT_EQ(refer(c.build()).vacuous, "every expected output is zero");
  c.dims.Q = 0;
  c.resize();
  EXPECT_EQ(refer(c.build()).vacuous, "the output is empty");
  PlainCase<float> cancelling = one_level(1, 100000, std::vector<float>(100000));
  for (std::size_t i = 0; i < 100000; ++i) cancelling.value[i] = i % 2 == 0 ? 1.0F : -1.0F;
  cancelling.locations = {0.7001F, 0.4F};
  EXPECT_NE(refer(cancelling.build()).vacuous, "");
}

TEST(MsDeformAttnOracle, EmptyAxesAreFine) {
  for (int axis = 0; axis < 5; ++axis) {
    PlainCase<float> c;
    std::int64_t* extents[] = {&c.dims.N, &c.dims.Q, &c.dims.M, &c.dims.D, &c.dims.P};
    *extents[axis] = 0;
    c.set_levels({{2, 2}});
    c.resize();
    EXPECT_NE(refer(c.build(), {}, {}, 2).vacuous, "") << axis;
  }
  PlainCase<float> no_levels;
  no_levels.set_levels({});
  no_levels.resize();
  EXPECT_EQ(refer(no_levels.build()).vacuous, "every expected output is zero");
}

TEST(MsDeformAttnOracle, OverflowingIntermediatesAdmitAnything) {
  PlainCase<float> c = one_level(1, 2, {3e38F, -3e38F});
  c.locations = {0.45F, 0.5F};
  const OutputReference output = output_of(c.build());
  ASSERT_FALSE(output.admits.empty());
  EXPECT_EQ(output.admits[0], kAdmitsAnything);
  c.value = {3e37F, 2e37F};
  const OutputReference fine = output_of(c.build());
  EXPECT_TRUE(fine.admits.empty() || fine.admits[0] == kAdmitsFinite);
}

TEST(MsDeformAttnOracle, OtherDtypesAreRefused) {
  Case c = one_level(1, 1, {1}).build();
  for (NamedTensor& input : c.inputs) {
    if (!is_floating(input.tensor.dtype())) continue;
    const auto elements = static_cast<std::size_t>(input.tensor.elements());
    input.tensor = Tensor(DType::kFloat16, input.tensor.shape(), Tensor::Bytes(2 * elements));
  }
  EXPECT_THROW(refer(c), InputError);
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
