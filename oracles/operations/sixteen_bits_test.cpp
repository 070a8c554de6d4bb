// The sets of float16 and bfloat16: what correct code of either arithmetic stores lies inside, the next
// number outside.
#include "core/sixteen_bits.h"

#include "oracles/operations/cases_test.h"

#include <numeric>

namespace deformdiff::operation {
namespace {

constexpr std::array kBoth{DType::kFloat16, DType::kBFloat16};

double narrow(DType dtype, double t) {
  return round_to(sixteen_bit_format(dtype), t);
}

NamedTensor named_in(DType dtype, const std::string& name, Shape shape, const std::vector<float>& values) {
  return {name, convert(Tensor::of<float>(DType::kFloat32, std::move(shape), values), dtype)};
}

/// As they come back from a 16-bit tensor.
std::vector<float> rounded(DType dtype, std::vector<float> values) {
  for (float& value : values) value = static_cast<float>(narrow(dtype, value));
  return values;
}

Precision rounding_as(Arithmetic arithmetic) {
  Precision precision;
  precision.arithmetic = arithmetic;
  return precision;
}

/// How many numbers of the format an element may be.
int numbers_in(const OutputReference& reference, std::size_t i) {
  int count = 0;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float number = sixteen_bits_to_float(reference.dtype, static_cast<std::uint16_t>(bits));
    if (bits != 0x8000 && std::isfinite(number) && ratio_at(reference, i, number) <= 1) ++count;
  }
  return count;
}

OutputReference sum_of(DType dtype, float a, float b, const Precision& precision = {}) {
  return refer("add", {}, {named_in(dtype, "a", {1}, {a}), named_in(dtype, "b", {1}, {b})}, precision);
}

TEST(SixteenBits, ExactResultsRoundToOneNumber) {
  for (const Arithmetic arithmetic : {Arithmetic::kWide, Arithmetic::kStorage}) {
    const OutputReference sum = sum_of(DType::kFloat16, 1, 0x1.8p-11F, rounding_as(Arithmetic::kWide));
    EXPECT_EQ(sum.dtype, DType::kFloat16);
    EXPECT_EQ(ratio_at(sum, 0, 1 + 0x1p-10), 0);
    EXPECT_EQ(numbers_in(sum, 0), 1);
    const OutputReference exact = sum_of(DType::kBFloat16, 3, -0.25F, rounding_as(arithmetic));
    EXPECT_EQ(ratio_at(exact, 0, 2.75), 0);
    EXPECT_EQ(numbers_in(exact, 0), 1);
  }
}

TEST(SixteenBits, WhatRoundsBeyondTheLargestIsInfinite) {
  const OutputReference below = sum_of(DType::kFloat16, 65504, 15),
                        above = sum_of(DType::kFloat16, 65504, 16);
  EXPECT_EQ(ratio_at(below, 0, 65504), 0);
  EXPECT_EQ(admits(below, 0), kAdmitsFinite);
  EXPECT_EQ(admits(above, 0), kAdmitsPlusInf);
  EXPECT_EQ(admits(sum_of(DType::kFloat16, -65504, -65504), 0), kAdmitsMinusInf);
  // A float32 result near the last number that is not rounded to infinity may be either.
  const OutputReference either = refer("linear", {},
                                       {named_in(DType::kFloat16, "x", {1, 3}, {65504, 15.9921875F, 0.0078F}),
                                        named_in(DType::kFloat16, "weight", {1, 3}, {1, 1, 1})});
  EXPECT_EQ(admits(either, 0), kAdmitsFinite | kAdmitsPlusInf);
  EXPECT_LE(ratio_at(either, 0, 65504), 1);
  EXPECT_EQ(numbers_in(either, 0), 1);
}

TEST(SixteenBits, SubnormalResultsAreZeroOnlyWhereTheyMayBeFlushed) {
  Precision flushing;
  flushing.flush_to_zero = true;
  const OutputReference kept = sum_of(DType::kFloat16, 0x1p-16F, 0x1p-15F);
  EXPECT_GT(ratio_at(kept, 0, 0), 1);
  EXPECT_EQ(numbers_in(kept, 0), 1);
  EXPECT_LE(ratio_at(sum_of(DType::kFloat16, 0x1p-16F, 0x1p-15F, flushing), 0, 0), 1);
  EXPECT_GT(ratio_at(sum_of(DType::kFloat16, 0x1p-13F, 0, flushing), 0, 0), 1);
}

TEST(SixteenBits, AResultThatIsAllZeroIsVacuous) {
  const Case c{
      "add", {}, {named_in(DType::kFloat16, "a", {1}, {0}), named_in(DType::kFloat16, "b", {1}, {0})}, {}};
  const Case tiny{"linear",
                  {},
                  {named_in(DType::kFloat16, "x", {1, 1}, {0x1p-20F}),
                   named_in(DType::kFloat16, "weight", {1, 1}, {0x1p-20F})},
                  {}};
  for (const Case& each : {c, tiny}) {
    EXPECT_EQ(operation_oracle(each.block, DType::kFloat16).evaluate(each, {}, {}, 1).vacuous,
              "every expected output is zero");
  }
}

/// Rows and weights of a product, and what float32 or 16-bit sums in two orders make of each element.
struct Product {
  std::int64_t terms;
  std::vector<float> x, weight;
  Case c;

  Product(DType dtype, std::int64_t count, std::int64_t length, std::uint64_t key) : terms(length) {
    Dice dice(key);
    x = rounded(dtype, dice.uniforms<float>(count * length, -2, 2));
    weight = rounded(dtype, dice.uniforms<float>(length, -2, 2));
    c = {"linear",
         {},
         {named_in(dtype, "x", {count, length}, x), named_in(dtype, "weight", {1, length}, weight)},
         {}};
  }

  template <typename Round>
  double sum(std::size_t row, bool backward, const Round& round) const {
    double sum = 0;
    for (std::int64_t i = 0; i < terms; ++i) {
      const auto k = static_cast<std::size_t>(backward ? terms - 1 - i : i);
      const double product =
          round(static_cast<double>(x[row * static_cast<std::size_t>(terms) + k]) * weight[k]);
      sum = round(sum + product);
    }
    return sum;
  }
};

TEST(SixteenBits, WideSumsAreRoundedOnce) {
  constexpr std::size_t kRows = 400;
  const auto float32 = [](double t) { return static_cast<double>(static_cast<float>(t)); };
  for (const DType dtype : kBoth) {
    const Product product(dtype, kRows, 24, 5);
    const Reference reference = operation_oracle("linear", dtype).evaluate(product.c, {}, {}, 1);
    EXPECT_EQ(reference.vacuous, "");
    const OutputReference& output = reference.outputs[0];
    int sharp = 0;
    for (std::size_t row = 0; row < kRows; ++row) {
      for (const bool backward : {false, true}) {
        const double stored = narrow(dtype, product.sum(row, backward, float32));
        ASSERT_LE(ratio_at(output, row, stored), 1) << row;
      }
      sharp += row < 50 && numbers_in(output, row) == 1 ? 1 : 0;
    }
    EXPECT_GE(sharp, 45);
  }
}

TEST(SixteenBits, ABiasIsAddedAtOnceOrToWhatIsStored) {
  Dice dice(11);
  for (const DType dtype : kBoth) {
    const auto step = [&](double t) { return narrow(dtype, t); };
    int apart_alone = 0;
    for (int i = 0; i < 300; ++i) {
      const std::vector<float> x = rounded(dtype, dice.uniforms<float>(2, -2, 2)),
                               weight = rounded(dtype, dice.uniforms<float>(2, -2, 2)),
                               bias = rounded(dtype, dice.uniforms<float>(1, -2, 2));
      const double product = static_cast<double>(x[0]) * weight[0] + static_cast<double>(x[1]) * weight[1];
      const double at_once = step(product + bias[0]), apart = step(step(product) + bias[0]);
      const OutputReference linear =
          refer("linear", {},
                {named_in(dtype, "x", {1, 2}, x), named_in(dtype, "weight", {1, 2}, weight),
                 named_in(dtype, "bias", {1}, bias)});
      const OutputReference conv2d =
          refer("conv2d", {{"padding", 0}},
                {named_in(dtype, "x", {1, 2, 1, 1}, x), named_in(dtype, "weight", {1, 2, 1, 1}, weight),
                 named_in(dtype, "bias", {1}, bias)});
      for (const OutputReference& each : {linear, conv2d}) {
        EXPECT_LE(ratio_at(each, 0, at_once), 1);
        EXPECT_LE(ratio_at(each, 0, apart), 1);
        const double low = std::min(at_once, apart), high = std::max(at_once, apart);
        const double unit =
            std::ldexp(1.0, std::ilogb(high - low + std::abs(high)) + 2) * float_format(dtype).unit_roundoff;
        EXPECT_GT(ratio_at(each, 0, step(high + unit)), 1);
        EXPECT_GT(ratio_at(each, 0, step(low - unit)), 1);
      }
      apart_alone += apart != at_once ? 1 : 0;
    }
    EXPECT_GT(apart_alone, 20);
  }
}

TEST(SixteenBits, ABiasAddedToAnOverflowLeavesItInfinite) {
  const std::vector<float> x{200, 200}, weight{200, 200}, bias{-30000};
  const OutputReference linear =
      refer("linear", {},
            {named_in(DType::kFloat16, "x", {1, 2}, x), named_in(DType::kFloat16, "weight", {1, 2}, weight),
             named_in(DType::kFloat16, "bias", {1}, bias)});
  EXPECT_EQ(ratio_at(linear, 0, std::numeric_limits<double>::infinity()), 0) << "80000 is stored before";
  EXPECT_LE(ratio_at(linear, 0, 50000 - 16), 1);
}

TEST(SixteenBits, ProductsOfBfloat16MayFlushWhatIsSubnormal) {
  for (const DType dtype : kBoth) {
    const double tiny = float_format(dtype).smallest_normal / 4;
    const OutputReference linear = refer(
        "linear", {},
        {named_in(dtype, "x", {1, 1}, {1}), named_in(dtype, "weight", {1, 1}, {static_cast<float>(tiny)})});
    EXPECT_EQ(ratio_at(linear, 0, tiny), 0);
    EXPECT_EQ(ratio_at(linear, 0, 0) <= 1, dtype == DType::kBFloat16);
  }
}

/// One level of 1 x 4 pixels, 0 0 60000 60000, sampled on the centre of the second: slopes of 0 and 60000.
Case gradient_beside_a_cliff() {
  const auto half = [](const char* name, const Shape& shape, const std::vector<float>& values) {
    return named_in(DType::kFloat16, name, shape, values);
  };
  const std::vector<std::int64_t> sides{1, 4}, start{0};
  return {"ms_deform_attn_grad_sampling_loc",
          {{"im2col_step", 64}},
          {half("value", {1, 4, 1, 1}, {0, 0, 60000, 60000}),
           {"spatial_shapes", Tensor::of<std::int64_t>(DType::kInt64, {1, 2}, sides)},
           {"level_start_index", Tensor::of<std::int64_t>(DType::kInt64, {1}, start)},
           half("sampling_loc", {1, 1, 1, 1, 1, 2}, {0.375F, 0.5F}),
           half("attn_weight", {1, 1, 1, 1, 1}, {1}),
           half("grad_output", {1, 1, 1}, {1})},
          {}};
}

TEST(SixteenBits, AnIntervalStaysWhereAnotherOneOverflows) {
  const OutputReference gradient = operation_oracle("ms_deform_attn_grad_sampling_loc", DType::kFloat16)
                                       .evaluate(gradient_beside_a_cliff(), {}, {}, 1)
                                       .outputs[0];
  EXPECT_EQ(ratio_at(gradient, 0, 0), 0);
  EXPECT_EQ(ratio_at(gradient, 0, std::numeric_limits<double>::infinity()), 0) << "240000 is too large";
  EXPECT_GT(ratio_at(gradient, 0, 1000), 1);
}

TEST(SixteenBits, GradientsOfOperationsOfTensorsRoundBetweenThem) {
  const auto bounds = [](Arithmetic arithmetic) {
    Precision precision;
    precision.arithmetic = arithmetic;
    return operation_oracle("ms_deform_attn_grad_value", DType::kFloat16)
        .evaluate(gradient_beside_a_cliff(), precision, {}, 1)
        .outputs[0]
        .bound;
  };
  EXPECT_EQ(bounds(Arithmetic::kOperations), bounds(Arithmetic::kStorage));
}

TEST(SixteenBits, SumsThatRoundEveryStepNeedTheDeclaration) {
  constexpr std::size_t kRows = 400;
  for (const DType dtype : kBoth) {
    const Product product(dtype, kRows, 12, 6);
    const auto step = [&](double t) { return narrow(dtype, t); };
    const auto worst_of = [&](Arithmetic arithmetic) {
      const Reference reference =
          operation_oracle("linear", dtype).evaluate(product.c, rounding_as(arithmetic), {}, 1);
      double most = 0;
      for (std::size_t row = 0; row < kRows; ++row) {
        for (const bool backward : {false, true})
          most = std::max(most, ratio_at(reference.outputs[0], row, product.sum(row, backward, step)));
      }
      return most;
    };
    EXPECT_GT(worst_of(Arithmetic::kWide), 1);
    EXPECT_GT(worst_of(Arithmetic::kOperations), 1);
    EXPECT_LE(worst_of(Arithmetic::kStorage), 1);
    EXPECT_GE(worst_of(Arithmetic::kStorage), 0.1);
  }
}

/// An operator's case of one head and channel, 4 points a query, and its two formulas in 16 bits.
struct Sampling {
  static constexpr std::int64_t kHeight = 5, kWidth = 6, kPoints = 4;
  DType dtype;
  std::int64_t queries;
  std::vector<float> value, locations, weights;

  Sampling(DType type, std::int64_t count, std::uint64_t key) : dtype(type), queries(count) {
    Dice dice(key);
    value = rounded(dtype, dice.uniforms<float>(kHeight * kWidth, -1, 1));
    locations = rounded(dtype, dice.uniforms<float>(count * kPoints * 2, -0.1, 1.1));
    weights = rounded(dtype, dice.uniforms<float>(count * kPoints, 0, 0.5));
  }

  Case build() const {
    return {"ms_deform_attn",
            {{"im2col_step", 64}},
            {named_in(dtype, "value", {1, kHeight * kWidth, 1, 1}, value),
             named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{kHeight, kWidth}),
             named("level_start_index", {1}, std::vector<std::int64_t>{0}),
             named_in(dtype, "sampling_loc", {1, queries, 1, 1, kPoints, 2}, locations),
             named_in(dtype, "attn_weight", {1, queries, 1, 1, kPoints}, weights)},
            {}};
  }

  double pixel(std::int64_t y, std::int64_t x) const {
    const bool inside = y >= 0 && x >= 0 && y < kHeight && x < kWidth;
    return inside ? value[static_cast<std::size_t>(y * kWidth + x)] : 0;
  }

  /// `round` is applied to every result.
  template <typename Round>
  double output(std::int64_t query, bool grid, const Round& round) const {
    const auto position = [&](double loc, double side) {
      if (!grid) return round(round(loc * side) - 0.5);
      const double g = round(2 * loc - 1);
      return round(round(round(round(g + 1) * side) - 1) / 2);
    };
    double sum = 0;
    for (std::int64_t p = 0; p < kPoints; ++p) {
      const auto at = static_cast<std::size_t>(query * kPoints + p);
      const double x = position(locations[2 * at], kWidth), y = position(locations[2 * at + 1], kHeight);
      if (!(x > -1 && y > -1 && x < kWidth && y < kHeight)) continue;
      const auto left = static_cast<std::int64_t>(std::floor(x)),
                 top = static_cast<std::int64_t>(std::floor(y));
      const double fx = round(x - std::floor(x)), fy = round(y - std::floor(y));
      const double gx = round(1 - fx), gy = round(1 - fy);
      const double upper = round(round(gx * pixel(top, left)) + round(fx * pixel(top, left + 1)));
      const double lower = round(round(gx * pixel(top + 1, left)) + round(fx * pixel(top + 1, left + 1)));
      const double sample = round(round(gy * upper) + round(fy * lower));
      sum = round(sum + round(weights[at] * sample));
    }
    return sum;
  }
};

TEST(SixteenBits, SamplingIsJudgedByWhatItDeclares) {
  constexpr std::int64_t kQueries = 500;
  for (const DType dtype : kBoth) {
    const Sampling sampling(dtype, kQueries, 7);
    const Case c = sampling.build();
    const auto worst_of = [&](const Precision& precision, bool grid, const auto& round) {
      const Reference reference = operation_oracle(c.block, dtype).evaluate(c, precision, {}, 1);
      double most = 0;
      for (std::int64_t q = 0; q < kQueries; ++q) {
        const double stored = narrow(dtype, sampling.output(q, grid, round));
        most = std::max(most, ratio_at(reference.outputs[0], static_cast<std::size_t>(q), stored));
      }
      return most;
    };
    const auto float32 = [](double t) { return static_cast<double>(static_cast<float>(t)); };
    const auto step = [&](double t) { return narrow(dtype, t); };
    for (const bool grid : {false, true}) {
      Precision precision = rounding_as(Arithmetic::kWide);
      precision.coordinates = grid ? Coordinates::kGridSample : Coordinates::kFused;
      EXPECT_LE(worst_of(precision, grid, float32), 1);
      EXPECT_GT(worst_of(precision, grid, step), 1);
      for (const Arithmetic arithmetic : {Arithmetic::kOperations, Arithmetic::kStorage}) {
        precision.arithmetic = arithmetic;
        EXPECT_LE(worst_of(precision, grid, step), 1);
        EXPECT_GE(worst_of(precision, grid, step), 0.1);
      }
    }
  }
}

TEST(SixteenBits, CoordinatesThatCannotBeResolvedAreVacuous) {
  constexpr std::int64_t kSide = 600;
  std::vector<float> value(kSide * 2);
  Dice dice(8);
  for (float& each : value) each = static_cast<float>(dice.uniform(-1, 1));
  for (const DType dtype : kBoth) {
    const Case c{"ms_deform_attn",
                 {{"im2col_step", 64}},
                 {named_in(dtype, "value", {1, kSide * 2, 1, 1}, value),
                  named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{2, kSide}),
                  named("level_start_index", {1}, std::vector<std::int64_t>{0}),
                  named_in(dtype, "sampling_loc", {1, 2, 1, 1, 1, 2}, {0.7F, 0.5F, 0.91F, 0.3F}),
                  named_in(dtype, "attn_weight", {1, 2, 1, 1, 1}, {1, 1})},
                 {}};
    const Oracle& oracle = operation_oracle(c.block, dtype);
    EXPECT_EQ(oracle.evaluate(c, {}, {}, 1).vacuous, "");
    EXPECT_NE(oracle.evaluate(c, rounding_as(Arithmetic::kStorage), {}, 1).vacuous, "");
  }
}

TEST(SixteenBits, OperationsOfSeveralTensorOperationsRoundInBetween) {
  // sigmoid(-1e-4) is 1/2 to 16 bits: not below it.
  const OutputReference near = refer("threshold", {{"heads", 1}, {"threshold", 0.5}},
                                     {named_in(DType::kFloat16, "logits", {1, 1, 1, 3}, {-1e-4F, -1, 1})});
  EXPECT_EQ(near.dtype, DType::kBool);
  EXPECT_LE(ratio_at(near, 0, 0), 1);
  EXPECT_LE(ratio_at(near, 0, 1), 1);
  EXPECT_EQ(ratio_at(near, 1, 1), 0);
  EXPECT_GT(ratio_at(near, 1, 0), 1);
  EXPECT_EQ(ratio_at(near, 2, 0), 0);
  // r + offset / W, the quotient rounded or not.
  const float reference = 0.7001953125F, offset = 1.0625F;
  const OutputReference moved =
      refer("sampling_locations", {},
            {named_in(DType::kFloat16, "offsets", {1, 1, 1, 1, 1, 2}, {offset, 0}),
             named_in(DType::kFloat16, "reference_points", {1, 1, 1, 2}, {reference, 0.5F}),
             named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{4, 7})});
  const double quotient = offset / 7.0;
  EXPECT_LE(ratio_at(moved, 0, narrow(DType::kFloat16, reference + quotient)), 1);
  EXPECT_LE(ratio_at(moved, 0, narrow(DType::kFloat16, reference + narrow(DType::kFloat16, quotient))), 1);
}

TEST(SixteenBits, ConstantsAreRounded) {
  for (const Arithmetic arithmetic : {Arithmetic::kWide, Arithmetic::kStorage}) {
    const OutputReference constant =
        refer_in(DType::kBFloat16, "constant", {{"count", 1}, {"v0", 0.3}}, {}, rounding_as(arithmetic));
    EXPECT_EQ(constant.dtype, DType::kBFloat16);
    EXPECT_EQ(ratio_at(constant, 0, narrow(DType::kBFloat16, 0.3)), 0);
  }
  EXPECT_EQ(refer_in(DType::kInt64, "constant", {{"count", 1}, {"v0", 3}}, {}).dtype, DType::kInt64);
}

TEST(SixteenBits, TermsOfABoundAddUp) {
  const Product product(DType::kFloat16, 20, 24, 9);
  for (const Arithmetic arithmetic : {Arithmetic::kWide, Arithmetic::kStorage}) {
    const Precision precision = rounding_as(arithmetic);
    const Oracle& oracle = operation_oracle("linear", DType::kFloat16);
    const OutputReference output = oracle.evaluate(product.c, precision, {}, 1).outputs[0];
    for (std::int64_t i = 0; i < 20; ++i) {
      const Explanation explanation = oracle.explain(product.c, precision, {}, i);
      const double sum = std::accumulate(explanation.terms.begin(), explanation.terms.end(), 0.0,
                                         [](double all, const auto& term) { return all + term.second; });
      EXPECT_NEAR(sum, output.bound[static_cast<std::size_t>(i)], 1e-12);
      const bool rounds = std::ranges::any_of(
          explanation.terms, [](const auto& term) { return term.first == "output rounding"; });
      EXPECT_EQ(rounds, arithmetic == Arithmetic::kWide);
    }
  }
}

}  // namespace
}  // namespace deformdiff::operation
