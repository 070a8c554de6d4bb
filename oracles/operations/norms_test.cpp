// layer_norm and group_norm against the formulas in use, in T.
#include "oracles/operations/cases_test.h"

namespace deformdiff::operation {
namespace {

template <typename T>
class Norms : public testing::Test {};
TYPED_TEST_SUITE(Norms, Floats);

enum class Spread { kTwoPasses, kOnePass, kWelford, kChan };
enum class Apply { kCentred, kScaleAndShift, kRowShift };

template <typename T>
struct Moments {
  T count = 0, mean = 0, sum = 0;
};

template <typename T>
Moments<T> chan(const std::vector<T>& x, std::size_t first, std::size_t count) {
  if (count == 1) return {1, x[first], 0};
  const Moments<T> a = chan(x, first, count / 2), b = chan(x, first + count / 2, count - count / 2);
  const T n = a.count + b.count, delta = b.mean - a.mean;
  return {n, a.mean + delta * (b.count / n), a.sum + b.sum + delta * delta * (a.count * b.count / n)};
}

template <typename T>
std::pair<T, T> moments(const std::vector<T>& x, Spread spread) {
  const T n = static_cast<T>(x.size());
  T mean = 0, variance = 0;
  if (spread == Spread::kChan) {
    const Moments<T> all = chan(x, 0, x.size());
    return {all.mean, all.sum / n};
  }
  if (spread == Spread::kWelford) {
    T count = 0;
    for (const T t : x) {
      count += 1;
      const T before = t - mean;
      mean += before / count;
      variance += before * (t - mean);
    }
    return {mean, variance / n};
  }
  for (const T t : x) mean += t;
  mean /= n;
  for (const T t : x) variance += spread == Spread::kOnePass ? t * t : (t - mean) * (t - mean);
  variance /= n;
  if (spread == Spread::kOnePass) variance = std::max<T>(0, variance - mean * mean);
  return {mean, variance};
}

template <typename T>
T applied(T x, T mean, T scale, T weight, T bias, Apply apply) {
  if (apply == Apply::kCentred) return (x - mean) * scale * weight + bias;
  if (apply == Apply::kRowShift) return (x * scale + -mean * scale) * weight + bias;
  const T factor = scale * weight;
  return x * factor + (bias - mean * factor);
}

constexpr std::pair<Spread, const char*> kSpreads[] = {{Spread::kTwoPasses, "two passes"},
                                                       {Spread::kOnePass, "one pass"},
                                                       {Spread::kWelford, "Welford"},
                                                       {Spread::kChan, "Chan"}};
constexpr std::pair<Apply, const char*> kApplies[] = {{Apply::kCentred, "centred"},
                                                      {Apply::kScaleAndShift, "scale and shift"},
                                                      {Apply::kRowShift, "row shift"}};

template <typename T>
std::vector<T> group_values(Dice& dice, std::int64_t count, std::int64_t kind) {
  std::vector<T> values;
  const double middle = kind == 0 ? 0 : kind == 1 ? dice.spread(0, 6) : kind == 2 ? 1000 : 0;
  const double size = kind == 2 ? 1e-3 : kind == 3 ? 1e-6 : kind == 4 ? 1e4 : 1;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<T>(middle + size * dice.uniform(-1, 1)));
  if (kind == 5) values.assign(values.size(), values[0]);
  return values;
}

template <typename T>
std::vector<NamedTensor> plain_row(const std::vector<T>& x) {
  const auto channels = static_cast<std::int64_t>(x.size());
  return {named("x", {1, channels}, x), named("weight", {channels}, std::vector<T>(x.size(), 1)),
          named("bias", {channels}, std::vector<T>(x.size(), 0))};
}

template <typename T>
constexpr T kFar = std::is_same_v<T, float> ? T(1e3) : T(1e9);

Precision with(Variance variance) {
  Precision precision;
  precision.variance = variance;
  return precision;
}

TYPED_TEST(Norms, LayerNormByEveryFormula) {
  using T = TypeParam;
  const Precision centred = with(Variance::kCentred);
  Ratios ratios("layer_norm"), centred_ratios("layer_norm, centred");
  Dice dice(1);
  for (int round = 0; round < 800; ++round) {
    const std::int64_t channels = round % 20 == 0 ? 1 : round % 20 == 1 ? 2000 : dice.between(2, 80);
    const auto x = group_values<T>(dice, channels, dice.between(0, 5));
    const auto weight = dice.uniforms<T>(channels, -2, 2), bias = dice.uniforms<T>(channels, -2, 2);
    const std::vector<NamedTensor> inputs{named("x", {1, channels}, x), named("weight", {channels}, weight),
                                          named("bias", {channels}, bias)};
    const OutputReference reference = refer("layer_norm", {{"eps", 1e-5}}, inputs);
    const OutputReference narrow = refer("layer_norm", {{"eps", 1e-5}}, inputs, centred);
    for (const auto& [spread, spread_name] : kSpreads) {
      const auto [mean, variance] = moments(x, spread);
      const T scale = T(1) / std::sqrt(variance + T(1e-5));
      for (const auto& [apply, apply_name] : kApplies) {
        std::vector<T> computed;
        for (std::size_t i = 0; i < x.size(); ++i)
          computed.push_back(applied(x[i], mean, scale, weight[i], bias[i], apply));
        const std::string formula = fmt::format("{}, {}", spread_name, apply_name);
        ratios.check(formula, reference, computed);
        if (spread != Spread::kOnePass) centred_ratios.check(formula, narrow, computed);
      }
    }
  }
}

/// 256 channels a thousand spreads away from 0: only where mean(x^2) - mean^2 is excluded is much said.
TYPED_TEST(Norms, CentredVarianceIsJudgedFarFromZero) {
  using T = TypeParam;
  Dice dice(4);
  std::vector<T> x;
  for (int i = 0; i < 256; ++i) x.push_back(kFar<T> + static_cast<T>(dice.uniform(-1, 1)));
  const OutputReference wide = refer("layer_norm", {{"eps", 1e-5}}, plain_row(x));
  for (const Variance variance : {Variance::kCentred, Variance::kLayerCentred}) {
    const OutputReference narrow = refer("layer_norm", {{"eps", 1e-5}}, plain_row(x), with(variance));
    const auto [mean, spread] = moments(x, Spread::kOnePass);
    const T scale = T(1) / std::sqrt(spread + T(1e-5));
    EXPECT_GT(std::abs((x[0] - mean) * scale - narrow.value[0]), narrow.bound[0]);
    EXPECT_GT(wide.bound[0], 100 * narrow.bound[0]);
  }
}

TYPED_TEST(Norms, GroupNormIsCentredOnlyWhereAllNormsAre) {
  using T = TypeParam;
  Dice dice(5);
  const Shape shape{1, 4, 8, 8};
  std::vector<T> x;
  for (int i = 0; i < 256; ++i) x.push_back(kFar<T> + static_cast<T>(dice.uniform(-1, 1)));
  const std::vector<NamedTensor> inputs{named("x", shape, x), named("weight", {4}, std::vector<T>(4, 1)),
                                        named("bias", {4}, std::vector<T>(4, 0))};
  const Attributes attributes{{"eps", 1e-5}, {"groups", 1}};
  const auto bound = [&](Variance variance) {
    return refer("group_norm", attributes, inputs, with(variance)).bound;
  };
  EXPECT_EQ(bound(Variance::kLayerCentred), bound(Variance::kAny));
  EXPECT_GT(bound(Variance::kLayerCentred)[0], 100 * bound(Variance::kCentred)[0]);
}

/// Rows so far from zero that mean(x^2) - mean^2 has no digit left: it is clamped at 0, so sets are finite.
TYPED_TEST(Norms, AVarianceThatCancelsIsNotNegative) {
  using T = TypeParam;
  Ratios ratios("layer_norm, no digit of the variance left");
  Dice dice(6);
  int negative = 0;
  for (int round = 0; round < 200; ++round) {
    const double eps = round % 2 == 0 ? 1e-5 : 1e-12;
    std::vector<T> x;
    const T middle = kFar<T> * static_cast<T>(dice.uniform(1, 10));
    const double size = round % 3 == 0 ? 0 : dice.uniform(0, 1e-3);
    for (int i = 0; i < 64; ++i) x.push_back(middle + static_cast<T>(size * dice.uniform(-1, 1)));
    const OutputReference reference = refer("layer_norm", {{"eps", eps}}, plain_row(x));
    EXPECT_TRUE(reference.admits.empty());
    for (const auto& [spread, spread_name] : kSpreads) {
      const auto [mean, variance] = moments(x, spread);
      const T scale = T(1) / std::sqrt(variance + static_cast<T>(eps));
      for (const auto& [apply, apply_name] : kApplies) {
        std::vector<T> computed;
        for (const T t : x) computed.push_back(applied<T>(t, mean, scale, 1, 0, apply));
        ratios.check(fmt::format("{}, {}", spread_name, apply_name), reference, computed);
      }
    }
    T mean = 0, square = 0;
    for (const T t : x) {
      mean += t / 64;
      square += t * t / 64;
    }
    const T unclamped = std::sqrt(square - mean * mean + static_cast<T>(eps));
    if (!std::isnan(unclamped)) continue;
    ++negative;
    EXPECT_GT(worst(reference, std::vector<T>(64, unclamped)), 1);
  }
  EXPECT_GT(negative, 20);
}

TYPED_TEST(Norms, WithoutEpsilonAVarianceThatMayBeZeroAdmitsAnything) {
  using T = TypeParam;
  std::vector<T> x(64, kFar<T>);
  x[0] += 1;
  const OutputReference any = refer("layer_norm", {{"eps", 0.0}}, plain_row(x));
  EXPECT_EQ(any.admits, std::vector<std::uint8_t>(64, kAdmitsAnything));
  const OutputReference centred = refer("layer_norm", {{"eps", 0.0}}, plain_row(x), with(Variance::kCentred));
  EXPECT_TRUE(centred.admits.empty());
  const auto [mean, variance] = moments(x, Spread::kTwoPasses);
  EXPECT_LE(ratio_at(centred, 0, (x[0] - mean) / std::sqrt(variance)), 1);
}

/// Squares of the elements overflow, those of their distances do not.
TYPED_TEST(Norms, LargeElementsThatAreAlikeOverflowInOnePassAlone) {
  using T = TypeParam;
  const T large = std::sqrt(std::numeric_limits<T>::max()) / 2;
  std::vector<T> x(64, large);
  for (std::size_t i = 0; i < 32; ++i) x[i] *= T(1.001);
  EXPECT_EQ(refer("layer_norm", {{"eps", 1e-5}}, plain_row(x)).admits,
            std::vector<std::uint8_t>(64, kAdmitsAnything));
  const OutputReference centred =
      refer("layer_norm", {{"eps", 1e-5}}, plain_row(x), with(Variance::kCentred));
  EXPECT_TRUE(centred.admits.empty());
  const auto [mean, variance] = moments(x, Spread::kWelford);
  EXPECT_LE(ratio_at(centred, 0, (x[0] - mean) / std::sqrt(variance)), 1);
}

TYPED_TEST(Norms, GroupNormIsLayerNormOfItsGroups) {
  using T = TypeParam;
  Dice dice(2);
  const Shape shape{2, 6, 3, 5};
  const auto x = group_values<T>(dice, element_count(shape), 1);
  const auto weight = dice.uniforms<T>(6, -2, 2), bias = dice.uniforms<T>(6, -2, 2);
  const OutputReference groups =
      refer("group_norm", {{"eps", 1e-5}, {"groups", 3}},
            {named("x", shape, x), named("weight", {6}, weight), named("bias", {6}, bias)});
  for (std::int64_t group = 0; group < 6; ++group) {
    std::vector<T> row(x.begin() + group * 30, x.begin() + group * 30 + 30), w, b;
    for (std::int64_t i = 0; i < 30; ++i) {
      w.push_back(weight[static_cast<std::size_t>(group % 3 * 2 + i / 15)]);
      b.push_back(bias[static_cast<std::size_t>(group % 3 * 2 + i / 15)]);
    }
    const OutputReference layer =
        refer("layer_norm", {{"eps", 1e-5}},
              {named("x", {1, 30}, row), named("weight", {30}, w), named("bias", {30}, b)});
    for (std::size_t i = 0; i < 30; ++i) {
      EXPECT_EQ(layer.value[i], groups.value[static_cast<std::size_t>(group) * 30 + i]);
      EXPECT_EQ(layer.bound[i], groups.bound[static_cast<std::size_t>(group) * 30 + i]);
    }
  }
}

TYPED_TEST(Norms, LargeGroupsStayTelling) {
  using T = TypeParam;
  Dice dice(3);
  const std::int64_t channels = 2, side = 300;
  const auto x = group_values<T>(dice, channels * side * side, 0);
  const std::vector<T> weight(2, 1), bias(2, 0);
  const Case c{
      "group_norm",
      {{"eps", 1e-5}, {"groups", 1}},
      {named("x", {1, channels, side, side}, x), named("weight", {2}, weight), named("bias", {2}, bias)},
      {}};
  const Reference reference = operation_oracle("group_norm", kDTypeOf<T>).evaluate(c, {}, {}, 2);
  EXPECT_EQ(reference.vacuous, "");
  EXPECT_GT(reference.telling_elements, element_count(reference.outputs[0].shape) * 9 / 10);
  // In blocks, as every implementation adds so many.
  T mean = 0, square = 0;
  for (std::size_t first = 0; first < x.size(); first += 500) {
    T sum = 0, squares = 0;
    for (std::size_t i = first; i < first + 500; ++i) {
      sum += x[i];
      squares += x[i] * x[i];
    }
    mean += sum;
    square += squares;
  }
  const T n = static_cast<T>(x.size());
  mean /= n;
  const T scale = T(1) / std::sqrt(square / n - mean * mean + T(1e-5));
  std::vector<T> computed;
  for (const T t : x) computed.push_back((t - mean) * scale);
  Ratios("group_norm").check("one pass in blocks", reference.outputs[0], computed);
}

TYPED_TEST(Norms, ConstantRowsGiveTheBias) {
  using T = TypeParam;
  const OutputReference reference =
      refer("layer_norm", {{"eps", 1e-5}},
            {named<T>("x", {1, 3}, {0.5, 0.5, 0.5}), named<T>("weight", {3}, {1, 2, 3}),
             named<T>("bias", {3}, {4, 5, 6})});
  EXPECT_EQ(reference.value, (std::vector<double>{4, 5, 6}));
}

TYPED_TEST(Norms, TwoValuesInClosedForm) {
  using T = TypeParam;
  const OutputReference reference =
      refer("layer_norm", {{"eps", 3}},
            {named<T>("x", {1, 2}, {4, 6}), named<T>("weight", {2}, {1, 1}), named<T>("bias", {2}, {0, 0})});
  EXPECT_EQ(reference.value, (std::vector<double>{-0.5, 0.5}));  // +-1 / sqrt(1 + 3)
}

TYPED_TEST(Norms, OneNanOrInfinityIsNanThroughout) {
  using T = TypeParam;
  for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
    const OutputReference reference = refer("layer_norm", {{"eps", 1e-5}},
                                            {named<T>("x", {2, 2}, {1, bad, 3, 4}),
                                             named<T>("weight", {2}, {1, 2}), named<T>("bias", {2}, {0, 0})});
    EXPECT_EQ(reference.admits,
              (std::vector<std::uint8_t>{kAdmitsNan, kAdmitsNan, kAdmitsFinite, kAdmitsFinite}));
  }
}

}  // namespace
}  // namespace deformdiff::operation
