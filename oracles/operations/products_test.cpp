// linear, conv2d, matmul and attention_scores against plain loops in T.
#include "oracles/operations/cases_test.h"

namespace deformdiff::operation {
namespace {

template <typename T>
class Products : public testing::Test {};
TYPED_TEST_SUITE(Products, Floats);

enum class Order { kForward, kBackward, kPairwise, kFused, kBiasFirst };

/// Sum of a_k b_k + bias in T.
template <typename T>
T dot(const std::vector<T>& a, const std::vector<T>& b, T bias, Order order) {
  const std::size_t n = a.size();
  if (order == Order::kPairwise) {
    std::vector<T> terms(n);
    for (std::size_t i = 0; i < n; ++i) terms[i] = a[i] * b[i];
    for (std::size_t width = 1; width < n; width *= 2) {
      for (std::size_t i = 0; i + width < n; i += 2 * width) terms[i] += terms[i + width];
    }
    return (n == 0 ? T(0) : terms[0]) + bias;
  }
  T sum = order == Order::kBiasFirst ? bias : T(0);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t k = order == Order::kBackward ? n - 1 - i : i;
    sum = order == Order::kFused ? std::fma(a[k], b[k], sum) : sum + a[k] * b[k];
  }
  return order == Order::kBiasFirst ? sum : sum + bias;
}

constexpr std::pair<Order, const char*> kOrders[] = {{Order::kForward, "forward"},
                                                     {Order::kBackward, "backward"},
                                                     {Order::kPairwise, "pairwise"},
                                                     {Order::kFused, "fused multiply-add"},
                                                     {Order::kBiasFirst, "from the bias"}};

template <typename T>
std::vector<T> part(const std::vector<T>& of, std::int64_t first, std::int64_t count, std::int64_t step = 1) {
  std::vector<T> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(of[static_cast<std::size_t>(first + i * step)]);
  return result;
}

/// Magnitudes alike, spread, cancelling, all of one sign, or mostly zero.
template <typename T>
std::vector<T> operand(Dice& dice, std::int64_t count, std::int64_t kind) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const double wide = sizeof(T) == 4 ? 30 : 200;
    const double value = kind == 0   ? dice.uniform(-1, 1)
                         : kind == 1 ? dice.spread(-wide, wide)
                         : kind == 2 ? (i % 2 == 0 ? 1 : -1) * dice.uniform(1, 1.001)
                         : kind == 3 ? dice.uniform(1, 2)
                                     : (dice.between(0, 3) == 0 ? dice.uniform(-1, 1) : 0);
    values.push_back(static_cast<T>(value));
  }
  return values;
}

TYPED_TEST(Products, LinearInAnyOrder) {
  using T = TypeParam;
  Ratios ratios("linear");
  Dice dice(1);
  for (int round = 0; round < 600; ++round) {
    const std::int64_t rows = dice.between(1, 13), length = round % 9 == 0 ? 1 : dice.between(1, 70);
    const std::int64_t columns = dice.between(1, 20), kind = dice.between(0, 4);
    const auto x = operand<T>(dice, rows * length, kind),
               weight = operand<T>(dice, columns * length, kind == 4 ? 0 : kind);
    const bool biased = dice.between(0, 1) == 1;
    const auto bias =
        biased ? operand<T>(dice, columns, 0) : std::vector<T>(static_cast<std::size_t>(columns), 0);
    std::vector<NamedTensor> inputs{named("x", {rows, length}, x),
                                    named("weight", {columns, length}, weight)};
    if (biased) inputs.push_back(named("bias", {columns}, bias));
    const OutputReference reference = refer("linear", {}, inputs);
    for (const auto& [order, name] : kOrders) {
      std::vector<T> computed;
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
          computed.push_back(dot(part(x, r * length, length), part(weight, c * length, length),
                                 bias[static_cast<std::size_t>(c)], order));
        }
      }
      ratios.check(name, reference, computed);
    }
  }
}

/// A sum that grows one rounding at a time in one direction: correct code comes near the bound.
TYPED_TEST(Products, ABadOrderComesNearTheBound) {
  using T = TypeParam;
  constexpr std::int64_t kLength = 64;
  std::vector<T> ones(kLength, 1), x(kLength, static_cast<T>(std::numeric_limits<T>::epsilon() * 0.499));
  x[0] = 1;
  const OutputReference reference =
      refer("linear", {}, {named("x", {1, kLength}, x), named("weight", {1, kLength}, ones)});
  const double ratio = worst(reference, std::vector<T>{dot(x, ones, T(0), Order::kForward)});
  fmt::print("  linear: every addition lost: {:.3f}\n", ratio);
  EXPECT_GT(ratio, 0.9);
  EXPECT_LE(ratio, 1);
}

TYPED_TEST(Products, ConvolutionsArePaddedSums) {
  using T = TypeParam;
  Ratios ratios("conv2d");
  Dice dice(2);
  for (int round = 0; round < 120; ++round) {
    const std::int64_t batch = dice.between(1, 2), in = dice.between(1, 4), out = dice.between(1, 9);
    const std::int64_t height = dice.between(1, 6), width = dice.between(1, 7);
    const std::int64_t kernel = 2 * dice.between(0, 1) + 1,
                       padding = kernel / 2 + (kernel > 1 ? dice.between(0, 1) : 0);
    const auto x = operand<T>(dice, batch * in * height * width, dice.between(0, 4));
    const auto weight = operand<T>(dice, out * in * kernel * kernel, 0), bias = operand<T>(dice, out, 0);
    const OutputReference reference =
        refer("conv2d", {{"padding", static_cast<double>(padding)}},
              {named("x", {batch, in, height, width}, x), named("weight", {out, in, kernel, kernel}, weight),
               named("bias", {out}, bias)});
    const std::int64_t high = height + 2 * padding - kernel + 1, wide = width + 2 * padding - kernel + 1;
    ASSERT_EQ(reference.shape, (Shape{batch, out, high, wide}));
    for (const auto& [order, name] : kOrders) {
      std::vector<T> computed;
      for (std::int64_t n = 0; n < batch * out * high * wide; ++n) {
        const std::int64_t column = n % wide, row = n / wide % high, o = n / wide / high % out,
                           b = n / wide / high / out;
        std::vector<T> patch;
        for (std::int64_t i = 0; i < in * kernel * kernel; ++i) {
          const std::int64_t xx = column + i % kernel - padding, yy = row + i / kernel % kernel - padding;
          const bool inside = xx >= 0 && yy >= 0 && xx < width && yy < height;
          patch.push_back(
              inside
                  ? x[static_cast<std::size_t>(((b * in + i / kernel / kernel) * height + yy) * width + xx)]
                  : T(0));
        }
        computed.push_back(dot(patch, part(weight, o * in * kernel * kernel, in * kernel * kernel),
                               bias[static_cast<std::size_t>(o)], order));
      }
      ratios.check(name, reference, computed);
    }
  }
}

TYPED_TEST(Products, AttentionScoresAndContext) {
  using T = TypeParam;
  Ratios ratios("attention");
  Dice dice(3);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t groups = dice.between(1, 3), queries = dice.between(1, 9), keys = dice.between(1, 20);
    const std::int64_t depth = dice.between(1, 12);
    const auto q = operand<T>(dice, groups * queries * depth, 0),
               k = operand<T>(dice, groups * keys * depth, dice.between(0, 3));
    std::vector<int> mask;
    for (std::int64_t i = 0; i < groups * queries * keys; ++i)
      mask.push_back(dice.between(0, 2) == 0 ? 1 : 0);
    const OutputReference scores =
        refer("attention_scores", {},
              {named("q", {groups, queries, depth}, q), named("k", {groups, keys, depth}, k),
               named_mask("mask", {groups, queries, keys}, mask)});
    const auto p = operand<T>(dice, groups * queries * keys, 4),
               v = operand<T>(dice, groups * keys * depth, 0);
    const OutputReference context =
        refer("matmul", {}, {named("a", {groups, queries, keys}, p), named("b", {groups, keys, depth}, v)});
    for (const auto& [order, name] : kOrders) {
      std::vector<T> computed, sums;
      for (std::int64_t i = 0; i < groups * queries * keys; ++i) {
        const std::int64_t group = i / keys / queries;
        const T score = dot(part(q, i / keys * depth, depth),
                            part(k, (group * keys + i % keys) * depth, depth), T(0), order);
        computed.push_back(mask[static_cast<std::size_t>(i)] != 0 ? -std::numeric_limits<T>::infinity()
                                                                  : score);
      }
      for (std::int64_t i = 0; i < groups * queries * depth; ++i) {
        const std::int64_t group = i / depth / queries;
        sums.push_back(dot(part(p, i / depth * keys, keys),
                           part(v, group * keys * depth + i % depth, keys, depth), T(0), order));
      }
      ratios.check(std::string("scores ") + name, scores, computed);
      ratios.check(std::string("context ") + name, context, sums);
    }
  }
}

/// Sizes beyond one tile, with more than one thread: the same as one by one.
TYPED_TEST(Products, TilesFitTogether) {
  using T = TypeParam;
  Dice dice(4);
  for (const auto& [rows, columns] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{700, 41}, {41, 1100}, {530, 540}}) {
    constexpr std::int64_t kLength = 3;
    const auto x = operand<T>(dice, rows * kLength, 0), weight = operand<T>(dice, columns * kLength, 0);
    const Case c{
        "linear", {}, {named("x", {rows, kLength}, x), named("weight", {columns, kLength}, weight)}, {}};
    const Reference reference = operation_oracle("linear", kDTypeOf<T>).evaluate(c, {}, {}, 3);
    EXPECT_EQ(reference.telling_elements, rows * columns);
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      const auto value = dot(part(x, i / columns * kLength, kLength),
                             part(weight, i % columns * kLength, kLength), T(0), Order::kForward);
      ASSERT_LE(ratio_at(reference.outputs[0], static_cast<std::size_t>(i), value), 1) << i;
    }
    const Explanation explanation =
        operation_oracle("linear", kDTypeOf<T>).explain(c, {}, {}, rows * columns - 1);
    double sum = 0;
    for (const auto& [name, term] : explanation.terms) sum += term;
    EXPECT_NEAR(sum, reference.outputs[0].bound.back(), 1e-12 * sum);
  }
}

TYPED_TEST(Products, NonfiniteTermsDecideTheKind) {
  using T = TypeParam;
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> weight{1, 1, -1, 0};
  const auto kind = [&](std::vector<T> x) {
    return admits(refer("linear", {}, {named("x", {1, 4}, x), named("weight", {1, 4}, weight)}), 0);
  };
  EXPECT_EQ(kind({1, nan, 1, 1}), kAdmitsNan);
  EXPECT_EQ(kind({inf, 1, 1, 1}), kAdmitsPlusInf);
  EXPECT_EQ(kind({1, 1, inf, 1}), kAdmitsMinusInf);
  EXPECT_EQ(kind({inf, 1, inf, 1}), kAdmitsNan);
  EXPECT_EQ(kind({1, 1, 1, inf}), kAdmitsNan);  // times 0
  EXPECT_EQ(kind({std::numeric_limits<T>::max(), std::numeric_limits<T>::max(), 1, 1}), kAdmitsAnything);
  EXPECT_EQ(kind({1, 2, 3, 4}), kAdmitsFinite);
}

TYPED_TEST(Products, BlockedScoresThatOverflowMayBeNan) {
  using T = TypeParam;
  constexpr T large = std::numeric_limits<T>::max() / 4;
  const auto kind = [&](std::vector<T> q) {
    return admits(refer("attention_scores", {},
                        {named("q", {1, 1, 2}, q), named("k", {1, 1, 2}, std::vector<T>{8, 8}),
                         named_mask("mask", {1, 1, 1}, {1})}),
                  0);
  };
  EXPECT_EQ(kind({1, 2}), kAdmitsMinusInf);
  // Minus infinity is added to the score, or takes its place.
  EXPECT_EQ(kind({large, large}), kAdmitsMinusInf | kAdmitsNan);
}

TEST(ProductsByHand, NothingToAddIsExact) {
  const OutputReference empty = refer(
      "linear", {},
      {named<float>("x", {2, 0}, {}), named<float>("weight", {1, 0}, {}), named<float>("bias", {1}, {3})});
  EXPECT_EQ(empty.value, (std::vector<double>{3, 3}));
  EXPECT_EQ(empty.bound, (std::vector<double>{0, 0}));
  const OutputReference zeros =
      refer("linear", {}, {named<float>("x", {1, 2}, {0, 0}), named<float>("weight", {1, 2}, {5, 7})});
  EXPECT_EQ(zeros.bound[0], 0);
}

TEST(ProductsByHand, IdentityTimesIdentity) {
  const OutputReference product =
      refer("matmul", {},
            {named<double>("a", {1, 2, 2}, {1, 2, 3, 4}), named<double>("b", {1, 2, 2}, {0, 1, 1, 0})});
  EXPECT_EQ(product.value, (std::vector<double>{2, 1, 4, 3}));
}

}  // namespace
}  // namespace deformdiff::operation
