// softmax, sigmoid and threshold against the formulas in use, in T.
#include "oracles/operations/cases_test.h"

#include <algorithm>

namespace deformdiff::operation {
namespace {

template <typename T>
class Exponentials : public testing::Test {};
TYPED_TEST_SUITE(Exponentials, Floats);

template <typename T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

template <typename T>
std::vector<T> softmax_in(const std::vector<T>& x, bool subtract, bool reciprocal, bool flush) {
  const T largest = subtract ? *std::max_element(x.begin(), x.end()) : T(0);
  std::vector<T> p;
  T sum = 0;
  for (const T t : x) {
    p.push_back(std::exp(t - largest));
    if (flush && p.back() < std::numeric_limits<T>::min()) p.back() = 0;
    sum += p.back();
  }
  for (T& t : p) t = reciprocal ? t * (1 / sum) : t / sum;
  return p;
}

enum class Exp2 {
  kOfDifference,     ///< exp2((x - max) c), c = log2 e
  kOfProducts,       ///< exp2(x c - max c)
  kContracted,       ///< the same, x c - max c in one fma
  kUnshifted,        ///< exp2(x c)
  kOfDifferenceOff,  ///< the first, c to three decimals
  kOfProductsOff     ///< the second, c to three decimals
};

template <typename T>
std::vector<T> softmax_by_exp2(const std::vector<T>& x, Exp2 how) {
  const bool off = how == Exp2::kOfDifferenceOff || how == Exp2::kOfProductsOff;
  const T c = off ? T(1.443) : static_cast<T>(1.44269504088896340735992468100189214L);
  const T largest = *std::max_element(x.begin(), x.end());
  std::vector<T> p;
  T sum = 0;
  for (const T t : x) {
    T z = (t - largest) * c;
    if (how == Exp2::kOfProducts || how == Exp2::kOfProductsOff) {
      const T product = t * c;
      z = product - largest * c;
    }
    if (how == Exp2::kContracted) z = std::isinf(t) ? t : std::fma(t, c, -(largest * c));
    if (how == Exp2::kUnshifted) z = t * c;
    p.push_back(std::exp2(z));
    sum += p.back();
  }
  for (T& t : p) t /= sum;
  return p;
}

/// As kernels of the Flash type do, far from zero too.
TYPED_TEST(Exponentials, SoftmaxByExp2) {
  using T = TypeParam;
  Ratios ratios("softmax");
  Dice dice(4);
  double least_off = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 3000; ++round) {
    const std::int64_t length = dice.between(3, 60);
    const double size = std::exp2(dice.uniform(0, 7)),
                 middle = round % 3 == 0 ? dice.uniform(-1000, 1000) : 0;
    auto x = dice.uniforms<T>(length, middle - size, middle + size);
    x[0] = -kInfinity<T>;
    x[static_cast<std::size_t>(length / 2)] = static_cast<T>(middle + size);
    x.back() = static_cast<T>(middle + size - 1);
    const OutputReference reference = refer("softmax", {}, {named("x", {1, length}, x)});
    ratios.check("exp2 of the difference", reference, softmax_by_exp2(x, Exp2::kOfDifference));
    ratios.check("exp2 of products", reference, softmax_by_exp2(x, Exp2::kOfProducts));
    ratios.check("exp2, contracted", reference, softmax_by_exp2(x, Exp2::kContracted));
    if (middle == 0 && size < 60)
      ratios.check("exp2, not shifted", reference, softmax_by_exp2(x, Exp2::kUnshifted));
    if (middle != 0) continue;
    for (const Exp2 off : {Exp2::kOfDifferenceOff, Exp2::kOfProductsOff})
      least_off = std::min(least_off, worst(reference, softmax_by_exp2(x, off)));
  }
  EXPECT_GT(least_off, 1);
}

/// A penalty of finite size under a mask widens nothing, and an offset no more than products with log2 e do.
TYPED_TEST(Exponentials, SoftmaxStaysSharpBesidePenalties) {
  using T = TypeParam;
  const OutputReference plain = refer("softmax", {}, {named<T>("x", {1, 3}, {1, 2, -kInfinity<T>})}),
                        penalised = refer("softmax", {}, {named<T>("x", {1, 3}, {1, 2, T(-1e9)})}),
                        far = refer("softmax", {}, {named<T>("x", {1, 2}, {1001, 1002})});
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(penalised.bound[i], plain.bound[i], plain.bound[i] / 4);
    EXPECT_LT(far.bound[i], 1100 * std::numeric_limits<T>::epsilon());
  }
}

TYPED_TEST(Exponentials, SoftmaxByEveryFormula) {
  using T = TypeParam;
  Ratios ratios("softmax");
  Dice dice(1);
  for (int round = 0; round < 3000; ++round) {
    const std::int64_t length = round % 10 == 0 ? 1 : round % 100 == 1 ? 3000 : dice.between(1, 60);
    const double size = std::exp2(dice.uniform(-10, sizeof(T) == 4 ? 7 : 9));
    auto x = dice.uniforms<T>(length, -size, size);
    for (T& t : x) {
      if (length > 2 && dice.between(0, 5) == 0) t = -kInfinity<T>;
    }
    x[static_cast<std::size_t>(length / 2)] = static_cast<T>(size);
    const OutputReference reference = refer("softmax", {}, {named("x", {1, length}, x)});
    ratios.check("divided", reference, softmax_in(x, true, false, false));
    ratios.check("reciprocal", reference, softmax_in(x, true, true, false));
    ratios.check("subnormals flushed", reference, softmax_in(x, true, true, true));
    if (size < 60) ratios.check("not shifted", reference, softmax_in(x, false, false, false));
  }
}

TYPED_TEST(Exponentials, SoftmaxOfEqualAndOfOne) {
  using T = TypeParam;
  const OutputReference equal = refer("softmax", {}, {named<T>("x", {1, 4}, {3, 3, 3, 3})});
  EXPECT_EQ(equal.value, (std::vector<double>{0.25, 0.25, 0.25, 0.25}));
  EXPECT_EQ(refer("softmax", {}, {named<T>("x", {1, 1}, {7})}).value[0], 1);
  const OutputReference masked = refer("softmax", {}, {named<T>("x", {1, 3}, {1, -kInfinity<T>, 1})});
  EXPECT_EQ(masked.value, (std::vector<double>{0.5, 0, 0.5}));
  EXPECT_EQ(masked.bound[1], 0);
}

TYPED_TEST(Exponentials, SoftmaxOfBlockedRowsIsNan) {
  using T = TypeParam;
  const OutputReference reference =
      refer("softmax", {}, {named<T>("x", {2, 2}, {-kInfinity<T>, -kInfinity<T>, 0, 0})});
  EXPECT_EQ(reference.admits,
            (std::vector<std::uint8_t>{kAdmitsNan, kAdmitsNan, kAdmitsFinite, kAdmitsFinite}));
  const OutputReference infinite = refer("softmax", {}, {named<T>("x", {1, 2}, {kInfinity<T>, 0})});
  EXPECT_EQ(infinite.admits, (std::vector<std::uint8_t>{kAdmitsNan, kAdmitsNan | kAdmitsFinite}));
}

TYPED_TEST(Exponentials, SigmoidByEveryFormula) {
  using T = TypeParam;
  Ratios ratios("sigmoid");
  Dice dice(2);
  for (int round = 0; round < 300; ++round) {
    const double size = std::exp2(dice.uniform(-20, sizeof(T) == 4 ? 7 : 10));
    auto x = dice.uniforms<T>(40, -size, size);
    x[0] = 0;
    x[1] = kInfinity<T>;
    x[2] = -kInfinity<T>;
    const OutputReference reference = refer("sigmoid", {}, {named("x", {40}, x)});
    std::vector<T> plain, split, hyperbolic;
    for (const T t : x) {
      const T e = std::exp(-std::abs(t));
      plain.push_back(1 / (1 + std::exp(-t)));
      split.push_back(t >= 0 ? 1 / (1 + e) : e / (1 + e));
      hyperbolic.push_back(T(0.5) * (1 + std::tanh(t / 2)));
    }
    ratios.check("1/(1+exp(-x))", reference, plain);
    ratios.check("by sign", reference, split);
    ratios.check("tanh", reference, hyperbolic);
  }
}

TYPED_TEST(Exponentials, SigmoidOfZeroIsExactlyOneHalf) {
  using T = TypeParam;
  const OutputReference reference = refer("sigmoid", {}, {named<T>("x", {1}, {0})});
  EXPECT_EQ(reference.value[0], 0.5);
  EXPECT_EQ(reference.bound[0], 0);
}

TYPED_TEST(Exponentials, ThresholdFreesOnlyWhatRoundingCanFlip) {
  using T = TypeParam;
  const T unit = std::numeric_limits<T>::epsilon() / 2;
  const std::vector<T> logits{0,     -1,   1,          std::numeric_limits<T>::quiet_NaN(),
                              -unit, unit, -64 * unit, 64 * unit};
  const OutputReference bits =
      refer("threshold", {{"heads", 2}, {"threshold", 0.5}}, {named("logits", {1, 1, 2, 4}, logits)});
  EXPECT_EQ(bits.dtype, DType::kBool);
  EXPECT_EQ(bits.shape, (Shape{2, 1, 8}));
  const std::vector<double> expected{0, 1, 0, 0, 0.5, 0.5, 1, 0};
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(bits.value[i], expected[i % 8]) << i;
    EXPECT_EQ(bits.bound[i], expected[i % 8] == 0.5 ? 0.5 : 0) << i;
  }
}

TYPED_TEST(Exponentials, ThresholdAdmitsEveryFormula) {
  using T = TypeParam;
  Dice dice(3);
  for (int round = 0; round < 200; ++round) {
    const double threshold = round % 2 == 0 ? 0.5 : dice.uniform(0.01, 0.99);
    const double middle = std::log(threshold / (1 - threshold));
    const double size = std::exp2(dice.uniform(sizeof(T) == 4 ? -24.0 : -53.0, 2.0));
    const auto x = dice.uniforms<T>(60, middle - size, middle + size);
    const OutputReference bits =
        refer("threshold", {{"heads", 1}, {"threshold", threshold}}, {named("logits", {1, 1, 6, 10}, x)});
    for (std::size_t i = 0; i < x.size(); ++i) {
      const T plain = 1 / (1 + std::exp(-x[i])), hyperbolic = T(0.5) * (1 + std::tanh(x[i] / 2));
      for (const T p : {plain, hyperbolic})
        EXPECT_LE(ratio_at(bits, i, p < static_cast<T>(threshold) ? 1 : 0), 1) << x[i];
    }
  }
}

}  // namespace
}  // namespace deformdiff::operation
