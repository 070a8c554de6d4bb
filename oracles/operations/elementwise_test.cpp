// add, scale and mean_heads against the formulas in use, in T.
#include "oracles/operations/cases_test.h"

#include <numbers>

namespace deformdiff::operation {
namespace {

template <typename T>
class ElementwiseOperations : public testing::Test {};
TYPED_TEST_SUITE(ElementwiseOperations, Floats);

template <typename T>
std::vector<T> spread(Dice& dice, std::int64_t count) {
  const double wide = sizeof(T) == 4 ? 140 : 1070;
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool near = dice.between(0, 1) == 0;
    values.push_back(static_cast<T>(near ? dice.uniform(-2, 2) : dice.spread(-wide, wide / 8)));
  }
  return values;
}

TYPED_TEST(ElementwiseOperations, SumsAreRoundedOnce) {
  using T = TypeParam;
  Ratios ratios("add");
  Dice dice(1);
  for (int round = 0; round < 300; ++round) {
    const auto a = spread<T>(dice, 40), b = spread<T>(dice, 40);
    std::vector<T> sums;
    for (std::size_t i = 0; i < a.size(); ++i) sums.push_back(a[i] + b[i]);
    ratios.check("sum", refer("add", {}, {named("a", {40}, a), named("b", {40}, b)}), sums);
  }
}

TYPED_TEST(ElementwiseOperations, ExactSumsAreDemanded) {
  using T = TypeParam;
  const OutputReference r =
      refer("add", {}, {named<T>("a", {3}, {1, 0.5, 3}), named<T>("b", {3}, {2, 0.25, T(0.1)})});
  EXPECT_EQ(r.bound[0], 0);
  EXPECT_EQ(r.bound[1], 0);
  EXPECT_GT(r.bound[2], 0);
}

TYPED_TEST(ElementwiseOperations, AddBroadcasts) {
  using T = TypeParam;
  const auto a = named<T>("a", {2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  const auto sums = [&](Shape shape, std::vector<T> b) {
    return refer("add", {}, {a, named<T>("b", shape, b)}).value;
  };
  EXPECT_EQ(sums({2}, {10, 20}), (std::vector<double>{10, 21, 12, 23, 14, 25, 16, 27}));
  EXPECT_EQ(sums({2, 1}, {10, 20}), (std::vector<double>{10, 11, 22, 23, 14, 15, 26, 27}));
  EXPECT_EQ(sums({2, 1, 1}, {10, 20}), (std::vector<double>{10, 11, 12, 13, 24, 25, 26, 27}));
  EXPECT_EQ(sums({}, {10}), (std::vector<double>{10, 11, 12, 13, 14, 15, 16, 17}));
}

TYPED_TEST(ElementwiseOperations, OverflowAdmitsAnything) {
  using T = TypeParam;
  constexpr T most = std::numeric_limits<T>::max(), inf = std::numeric_limits<T>::infinity();
  const OutputReference r =
      refer("add", {}, {named<T>("a", {3}, {most, inf, inf}), named<T>("b", {3}, {most, 1, -inf})});
  EXPECT_EQ(r.admits, (std::vector<std::uint8_t>{kAdmitsAnything, kAdmitsPlusInf, kAdmitsNan}));
}

TYPED_TEST(ElementwiseOperations, ScaleByEveryFormula) {
  using T = TypeParam;
  Ratios ratios("scale");
  Dice dice(2);
  for (const int depth : {1, 2, 3, 4, 8, 9, 16, 25, 32, 36, 64, 72, 100, 256}) {
    for (int round = 0; round < 20; ++round) {
      const auto x = spread<T>(dice, 40);
      const OutputReference reference = refer("scale", {{"head_dim", depth}}, {named("x", {40}, x)});
      std::vector<T> quotient, reciprocal, wide, power;
      for (const T t : x) {
        quotient.push_back(t / std::sqrt(static_cast<T>(depth)));
        reciprocal.push_back(t * (T(1) / std::sqrt(static_cast<T>(depth))));
        wide.push_back(t * static_cast<T>(std::sqrt(1.0 / depth)));
        power.push_back(t * std::sqrt(T(1) / static_cast<T>(depth)));
      }
      ratios.check("x / sqrt(d)", reference, quotient);
      ratios.check("x * (1 / sqrt(d))", reference, reciprocal);
      ratios.check("x * factor rounded once", reference, wide);
      ratios.check("x * sqrt(1 / d)", reference, power);
      if (depth == 1 || depth == 4 || depth == 16 || depth == 64 || depth == 256) {
        for (std::size_t i = 0; i < x.size(); ++i) {
          if (std::abs(x[i]) > 1e-30) {
            EXPECT_EQ(reference.bound[i], 0) << x[i];
          }
        }
      }
    }
  }
}

TYPED_TEST(ElementwiseOperations, MeanOfHeads) {
  using T = TypeParam;
  Ratios ratios("mean_heads");
  Dice dice(3);
  for (int round = 0; round < 300; ++round) {
    const std::int64_t batch = dice.between(1, 2), heads = dice.between(1, 9), inner = 6;
    const auto x = dice.uniforms<T>(batch * heads * inner, round % 2 == 0 ? 0 : -1, 1);
    const OutputReference reference =
        refer("mean_heads", {{"heads", static_cast<double>(heads)}}, {named("x", {batch * heads, 2, 3}, x)});
    ASSERT_EQ(reference.shape, (Shape{batch, 2, 3}));
    std::vector<T> forward, reciprocal;
    for (std::int64_t i = 0; i < batch * inner; ++i) {
      T sum = 0, backward = 0;
      for (std::int64_t head = 0; head < heads; ++head) {
        sum += x[static_cast<std::size_t>((i / inner * heads + head) * inner + i % inner)];
        backward += x[static_cast<std::size_t>((i / inner * heads + heads - 1 - head) * inner + i % inner)];
      }
      forward.push_back(sum / static_cast<T>(heads));
      reciprocal.push_back(backward * (T(1) / static_cast<T>(heads)));
    }
    ratios.check("divided", reference, forward);
    ratios.check("reciprocal", reference, reciprocal);
  }
}

TEST(ElementwiseByHand, FlushedSubnormalsAreForgiven) {
  Precision flushing;
  flushing.flush_to_zero = true;
  const auto a = named<float>("a", {1}, {1e-40F}), b = named<float>("b", {1}, {1e-40F});
  EXPECT_EQ(ratio_at(refer("add", {}, {a, b}), 0, 0), std::numeric_limits<double>::infinity());
  EXPECT_LE(ratio_at(refer("add", {}, {a, b}, flushing), 0, 0), 1);
}

TYPED_TEST(ElementwiseOperations, GeluByEveryFormula) {
  using T = TypeParam;
  Precision precision;
  precision.ulps.erf = 1;
  Ratios ratios("gelu");
  Dice dice(4);
  for (int round = 0; round < 300; ++round) {
    auto x = spread<T>(dice, 40);
    for (std::size_t i = 0; i < x.size(); i += 2) x[i] = static_cast<T>(dice.uniform(-9, 9));
    const OutputReference reference = refer("gelu", {}, {named("x", {40}, x)}, precision);
    std::vector<T> product, quotient, complement;
    for (const T t : x) {
      const T root = std::numbers::sqrt2_v<T>, inverse = 1 / std::numbers::sqrt2_v<double>;
      product.push_back(t * T(0.5) * (1 + std::erf(t * inverse)));
      quotient.push_back(T(0.5) * t * (1 + std::erf(t / root)));
      complement.push_back(t * (T(0.5) * std::erfc(-t * inverse)));
    }
    ratios.check("x / 2 * (1 + erf(x * rounded))", reference, product);
    ratios.check("x / 2 * (1 + erf(x / sqrt(2)))", reference, quotient);
    ratios.check("x * (erfc / 2)", reference, complement);
  }
}

TYPED_TEST(ElementwiseOperations, GeluIsNotItsTanhFormula) {
  using T = TypeParam;
  constexpr T inf = std::numeric_limits<T>::infinity();
  const OutputReference r = refer("gelu", {}, {named<T>("x", {4}, {1, 0, inf, -inf})});
  EXPECT_NEAR(r.value[0], 0.8413447460685429, 1e-15);
  const double by_tanh = 0.5 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * 1.044715));
  EXPECT_GT(std::abs(by_tanh - r.value[0]), r.bound[0]);
  EXPECT_EQ(r.value[1], 0);
  EXPECT_EQ(r.bound[1], 0);
  EXPECT_EQ(r.admits[2], kAdmitsPlusInf);
  EXPECT_EQ(r.admits[3], kAdmitsNan | kAdmitsFinite);
}

}  // namespace
}  // namespace deformdiff::operation
