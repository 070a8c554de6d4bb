// coordinates, temperatures, angles and sine_embedding against the formulas in use, in T.
#include "oracles/operations/cases_test.h"

#include <numbers>

namespace deformdiff::operation {
namespace {

template <typename T>
class Positions : public testing::Test {};
TYPED_TEST_SUITE(Positions, Floats);

TYPED_TEST(Positions, CoordinatesInEveryOrder) {
  using T = TypeParam;
  Ratios ratios("coordinates");
  Dice dice(1);
  for (int round = 0; round < 300; ++round) {
    const std::int64_t height = dice.between(1, 40), width = dice.between(1, 40), axis = dice.between(0, 1);
    const double offset = round % 3 == 0 ? 0 : round % 3 == 1 ? -0.5 : dice.uniform(-0.4, 0.4);
    const double scale = round % 4 == 0 ? 1 : 2 * std::numbers::pi, eps = round % 5 == 0 ? 1e-3 : 1e-6;
    std::vector<int> valid;
    for (std::int64_t i = 0; i < height * width; ++i)
      valid.push_back(round % 2 == 0 || dice.between(0, 3) > 0 ? 1 : 0);
    valid[0] = 1;
    Attributes attributes{{"axis", static_cast<double>(axis)},
                          {"normalize", 1},
                          {"offset", offset},
                          {"eps", eps},
                          {"scale", scale}};
    std::vector<NamedTensor> inputs{named_mask("mask", {1, height, width}, valid)};
    if (round % 2 == 0) inputs = {named("spatial_shape", {2}, std::vector<std::int64_t>{height, width})};
    const OutputReference reference = refer_in(kDTypeOf<T>, "coordinates", attributes, inputs);
    ASSERT_EQ(reference.shape, (Shape{1, height, width}));
    attributes["normalize"] = 0;
    const OutputReference counts = refer_in(kDTypeOf<T>, "coordinates", attributes, inputs);
    std::vector<T> usual, scaled_first, factor, plain;
    for (std::int64_t i = 0; i < height * width; ++i) {
      const std::int64_t line = axis == 1 ? i / width : i % width, place = axis == 1 ? i % width : i / width;
      T count = 0, last = 0;
      for (std::int64_t j = 0; j < (axis == 1 ? width : height); ++j) {
        last +=
            static_cast<T>(valid[static_cast<std::size_t>(axis == 1 ? line * width + j : j * width + line)]);
        if (j == place) count = last;
      }
      const T above = count + static_cast<T>(offset), below = last + static_cast<T>(eps),
              s = static_cast<T>(scale);
      usual.push_back(above / below * s);
      scaled_first.push_back(above * s / below);
      factor.push_back(above * (s / below));
      plain.push_back(count);
    }
    ratios.check("(c + offset) / (last + eps) * scale", reference, usual);
    ratios.check("(c + offset) * scale / (last + eps)", reference, scaled_first);
    ratios.check("(c + offset) * (scale / (last + eps))", reference, factor);
    EXPECT_EQ(worst(counts, plain), 0);
  }
}

TYPED_TEST(Positions, DivisionByACountOfZeroIsKnown) {
  using T = TypeParam;
  for (const double offset : {0.0, -0.5}) {
    const OutputReference r =
        refer_in(kDTypeOf<T>, "coordinates",
                 {{"axis", 1}, {"normalize", 1}, {"offset", offset}, {"eps", 0}, {"scale", 6.28}},
                 {named_mask("mask", {1, 1, 2}, {0, 0})});
    EXPECT_EQ(r.admits, std::vector<std::uint8_t>(2, offset == 0 ? kAdmitsNan : kAdmitsMinusInf));
  }
}

TYPED_TEST(Positions, TemperaturesArePowers) {
  using T = TypeParam;
  Ratios ratios("temperatures");
  Precision of_one_ulp;
  of_one_ulp.ulps.pow = of_one_ulp.ulps.exp = 1;
  for (const double temperature : {10000.0, 20.0, 0.3, 1.0}) {
    for (const int count : {1, 2, 7, 16, 128, 130}) {
      const OutputReference reference = refer_in(
          kDTypeOf<T>, "temperatures", {{"count", count}, {"temperature", temperature}}, {}, of_one_ulp);
      std::vector<T> powers, exponentials;
      for (int i = 0; i < count; ++i) {
        const T exponent = static_cast<T>(2 * (i / 2)) / static_cast<T>(count);
        powers.push_back(std::pow(static_cast<T>(temperature), exponent));
        exponentials.push_back(std::exp(exponent * static_cast<T>(std::log(temperature))));
      }
      ratios.check("pow", reference, powers);
      ratios.check("exp", reference, exponentials);
      EXPECT_EQ(reference.value[0], 1);
      EXPECT_EQ(reference.bound[0], 0);
    }
  }
}

TYPED_TEST(Positions, AnglesAndTheirSines) {
  using T = TypeParam;
  Ratios ratios("angles");
  Dice dice(2);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t n = 2 * dice.between(1, 4), height = dice.between(1, 3), width = dice.between(1, 4);
    const auto coordinates = dice.uniforms<T>(2 * height * width, 0, 6.3),
               temperatures = dice.uniforms<T>(n, 1, 10000);
    const OutputReference reference = refer(
        "angles", {},
        {named("coordinates", {2, height, width}, coordinates), named("temperatures", {n}, temperatures)});
    std::vector<T> quotients, products;
    for (const T c : coordinates) {
      for (const T t : temperatures) {
        quotients.push_back(c / t);
        products.push_back(c * (1 / t));
      }
    }
    ratios.check("divided", reference, quotients);
    ratios.check("reciprocal", reference, products);

    const auto other = dice.uniforms<T>(2 * height * width * n, -7, 7);
    const Shape shape{2, height, width, n};
    const OutputReference embedding =
        refer("sine_embedding", {}, {named("angle_y", shape, quotients), named("angle_x", shape, other)});
    ASSERT_EQ(embedding.shape, (Shape{2, 2 * n, height, width}));
    std::vector<T> sines;
    for (std::int64_t b = 0; b < 2; ++b) {
      for (std::int64_t channel = 0; channel < 2 * n; ++channel) {
        for (std::int64_t pixel = 0; pixel < height * width; ++pixel) {
          const auto& from = channel < n ? quotients : other;
          const T angle = from[static_cast<std::size_t>((b * height * width + pixel) * n + channel % n)];
          sines.push_back(channel % n % 2 == 0 ? std::sin(angle) : std::cos(angle));
        }
      }
    }
    ratios.check("sine embedding", embedding, sines);
  }
}

TYPED_TEST(Positions, DeclaredUlpsScaleTheBound) {
  using T = TypeParam;
  const std::vector<NamedTensor> inputs{named<T>("angle_y", {1, 1, 1, 1}, {1}),
                                        named<T>("angle_x", {1, 1, 1, 1}, {1})};
  Precision one;
  one.ulps.sin_cos = 1;
  const double ratio =
      refer("sine_embedding", {}, inputs).bound[0] / refer("sine_embedding", {}, inputs, one).bound[0];
  EXPECT_NEAR(ratio, 4, 1e-3);
}

}  // namespace
}  // namespace deformdiff::operation
