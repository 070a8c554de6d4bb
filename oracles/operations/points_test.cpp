// sampling_locations, pixel_centres and scaled_points against the formulas in use, in T.
#include "oracles/operations/cases_test.h"

namespace deformdiff::operation {
namespace {

template <typename T>
class SamplingPoints : public testing::Test {};
TYPED_TEST_SUITE(SamplingPoints, Floats);

TYPED_TEST(SamplingPoints, LocationsFromPointsAndBoxes) {
  using T = TypeParam;
  Ratios ratios("sampling_locations");
  Dice dice(1);
  for (int round = 0; round < 600; ++round) {
    const std::int64_t queries = dice.between(1, 4), heads = dice.between(1, 3), levels = dice.between(1, 3);
    const std::int64_t points = dice.between(1, 5), width = round % 2 == 0 ? 2 : 4;
    const Shape shape{2, queries, heads, levels, points, 2};
    const auto offsets = dice.uniforms<T>(element_count(shape), -4, 4);
    const auto references = dice.uniforms<T>(2 * queries * levels * width, 0, 1);
    std::vector<std::int64_t> sides;
    for (std::int64_t l = 0; l < 2 * levels; ++l) sides.push_back(dice.between(1, 200));
    const OutputReference reference = refer(
        "sampling_locations", {},
        {named("offsets", shape, offsets), named("reference_points", {2, queries, levels, width}, references),
         named("spatial_shapes", {levels, 2}, sides)});
    std::vector<T> quotient, reciprocal, fused;
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      const std::int64_t axis = i % 2, level = i / 2 / points % levels,
                         query = i / 2 / points / levels / heads;
      const T* r = references.data() + (query * levels + level) * width;
      const T offset = offsets[static_cast<std::size_t>(i)];
      const T side = static_cast<T>(sides[static_cast<std::size_t>(2 * level + 1 - axis)]),
              p = static_cast<T>(points);
      if (width == 2) {
        quotient.push_back(r[axis] + offset / side);
        reciprocal.push_back(r[axis] + offset * (1 / side));
        fused.push_back(std::fma(offset, 1 / side, r[axis]));
      } else {
        quotient.push_back(r[axis] + offset / p * r[2 + axis] * T(0.5));
        reciprocal.push_back(r[axis] + offset * (1 / p) * (r[2 + axis] * T(0.5)));
        fused.push_back(std::fma(offset * (T(0.5) / p), r[2 + axis], r[axis]));
      }
    }
    const std::string kind = width == 2 ? "points, " : "boxes, ";
    ratios.check(kind + "divided", reference, quotient);
    ratios.check(kind + "reciprocal", reference, reciprocal);
    ratios.check(kind + "fused", reference, fused);
  }
}

TYPED_TEST(SamplingPoints, WidthGoesWithX) {
  using T = TypeParam;
  const OutputReference r = refer("sampling_locations", {},
                                  {named<T>("offsets", {1, 1, 1, 1, 1, 2}, {1, 1}),
                                   named<T>("reference_points", {1, 1, 1, 2}, {0.5, 0.25}),
                                   named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{4, 8})});
  EXPECT_EQ(r.value, (std::vector<double>{0.625, 0.5}));
  EXPECT_EQ(r.bound, (std::vector<double>{0, 0}));
}

TYPED_TEST(SamplingPoints, DivisionByZeroIsInfiniteInEveryFormula) {
  using T = TypeParam;
  const std::vector<std::int64_t> sides{2, 1};
  const OutputReference centres =
      refer("pixel_centres", {{"level", 0}},
            {named("spatial_shapes", {1, 2}, sides), named<T>("valid_ratios", {1, 1, 2}, {0, -0.0})});
  EXPECT_EQ(centres.admits,
            (std::vector<std::uint8_t>{kAdmitsPlusInf, kAdmitsMinusInf, kAdmitsPlusInf, kAdmitsMinusInf}));
  const OutputReference locations = refer("sampling_locations", {},
                                          {named<T>("offsets", {1, 1, 1, 1, 1, 2}, {-1, 0}),
                                           named<T>("reference_points", {1, 1, 1, 2}, {0.5, 0.25}),
                                           named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{0, 0})});
  EXPECT_EQ(locations.admits, (std::vector<std::uint8_t>{kAdmitsMinusInf, kAdmitsNan}));
}

template <typename T>
std::vector<T> linspace(std::int64_t n) {
  const T start = T(0.5), end = static_cast<T>(n) - T(0.5),
          step = n > 1 ? (end - start) / static_cast<T>(n - 1) : T(0);
  std::vector<T> values;
  for (std::int64_t i = 0; i < n; ++i)
    values.push_back(2 * i < n ? start + step * static_cast<T>(i) : end - step * static_cast<T>(n - 1 - i));
  return values;
}

TYPED_TEST(SamplingPoints, PixelCentresByEveryFormula) {
  using T = TypeParam;
  Ratios ratios("pixel_centres");
  Dice dice(2);
  for (int round = 0; round < 400; ++round) {
    const std::int64_t height = dice.between(1, round % 50 == 0 ? 300 : 12), width = dice.between(1, 12);
    const bool full = round % 3 == 0;
    auto ratio = dice.uniforms<T>(2 * 2 * 2, 0.3, 1);
    if (full) ratio.assign(ratio.size(), 1);
    const OutputReference reference =
        refer("pixel_centres", {{"level", 1}},
              {named("spatial_shapes", {2, 2}, std::vector<std::int64_t>{5, 7, height, width}),
               named("valid_ratios", {2, 2, 2}, ratio)});
    ASSERT_EQ(reference.shape, (Shape{2, height * width, 2}));
    std::vector<T> divided, apart, strided;
    const auto xs = linspace<T>(width), ys = linspace<T>(height);
    for (std::int64_t i = 0; i < 2 * height * width * 2; ++i) {
      const std::int64_t pixel = i / 2 % (height * width), batch = i / 2 / (height * width);
      const T centre = i % 2 == 0 ? xs[static_cast<std::size_t>(pixel % width)]
                                  : ys[static_cast<std::size_t>(pixel / width)];
      const T side = static_cast<T>(i % 2 == 0 ? width : height),
              r = ratio[static_cast<std::size_t>(batch * 4 + 2 + i % 2)];
      divided.push_back(centre / (r * side));
      apart.push_back(centre / side / r);
      strided.push_back(centre * 32 / (side * 32 * r));
    }
    ratios.check("divided by the product", reference, divided);
    ratios.check("divided twice", reference, apart);
    ratios.check("by strides", reference, strided);
  }
}

TYPED_TEST(SamplingPoints, ScaledPointsAreRoundedOnce) {
  using T = TypeParam;
  Ratios ratios("scaled_points");
  Dice dice(3);
  for (int round = 0; round < 200; ++round) {
    const auto points = dice.uniforms<T>(2 * 5 * 2, -1, 2), factors = dice.uniforms<T>(2 * 3 * 2, 0, 1);
    std::vector<T> products;
    for (std::size_t i = 0; i < 2 * 5 * 3 * 2; ++i)
      products.push_back(points[i / 6 * 2 + i % 2] * factors[i / 30 * 6 + i % 6]);
    ratios.check("product",
                 refer("scaled_points", {},
                       {named("points", {2, 5, 2}, points), named("valid_ratios", {2, 3, 2}, factors)}),
                 products);
  }
}

}  // namespace
}  // namespace deformdiff::operation
