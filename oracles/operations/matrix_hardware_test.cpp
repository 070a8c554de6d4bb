// Products as matrix hardware computes them: covered where they are declared, found where they are not.
#include "oracles/arithmetic/rounding.h"
#include "oracles/operations/cases_test.h"

namespace deformdiff::operation {
namespace {

/// Uniform between `low` and 2.
std::vector<float> operand(Dice& dice, std::int64_t count, double low) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(dice.uniform(low, 2)));
  return values;
}

/// t cut to so many bits behind the point, or rounded to nearest.
double cut(double t, int bits, bool nearest) {
  if (t == 0) return 0;
  const double place = std::ldexp(first_place(t), -bits), whole = t / place;
  return (nearest ? std::nearbyint(whole) : std::trunc(whole)) * place;
}

/// What matrix hardware makes of a product of two operands: the products that stand for it.
std::vector<double> products_of(double a, double b, Products how, bool nearest) {
  if (how == Products::kFloat32) return {a * b};
  const int bits = how == Products::kTf32 ? 10 : 7;
  const double a1 = cut(a, bits, nearest), b1 = cut(b, bits, nearest);
  if (how != Products::kBfloat16x3) return {a1 * b1};
  const double a2 = cut(a - a1, bits, nearest), b2 = cut(b - b1, bits, nearest);
  return {a1 * b1, a1 * b2, a2 * b1};
}

/// The largest ratio of 100 products of matrices, as hardware computes them, judged as declared.
double worst_on_hardware(Products how, ProductSums sums, const Precision& declared) {
  double largest = 0;
  Dice dice(17);
  for (int round = 0; round < 100; ++round) {
    const std::int64_t length = dice.between(1, 120);
    const auto x = operand(dice, length, -1), weight = operand(dice, length, 1);
    const OutputReference reference =
        refer("linear", {}, {named("x", {1, length}, x), named("weight", {1, length}, weight)}, declared);
    for (const bool nearest : {false, true}) {
      double sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k) {
        for (const double product : products_of(x[k], weight[k], how, nearest))
          sum = cut(sum + product, sums == ProductSums::kFloat16 ? 10 : 23, nearest);
      }
      largest = std::max(largest, worst(reference, std::vector<float>{static_cast<float>(sum)}));
    }
  }
  return largest;
}

TEST(MatrixHardware, IsCoveredWhereItIsDeclaredAndFoundWhereItIsNot) {
  for (const auto& [how, name] : {std::pair(Products::kTf32, "tf32"),
                                  {Products::kBfloat16, "bf16"},
                                  {Products::kBfloat16x3, "bf16x3"}}) {
    Precision declared;
    declared.products = how;
    const double ratio = worst_on_hardware(how, ProductSums::kFloat32, declared);
    fmt::print("  linear: products in {}: {:.3f}\n", name, ratio);
    EXPECT_LE(ratio, 1) << name;
    EXPECT_GT(ratio, 0.1) << name;
    EXPECT_GT(worst_on_hardware(how, ProductSums::kFloat32, {}), 10) << name;
  }
  Precision declared;
  declared.product_sums = ProductSums::kFloat16;
  const double ratio = worst_on_hardware(Products::kFloat32, ProductSums::kFloat16, declared);
  fmt::print("  linear: sums in float16: {:.3f}\n", ratio);
  EXPECT_LE(ratio, 1);
  EXPECT_GT(ratio, 0.2);
  EXPECT_GT(worst_on_hardware(Products::kFloat32, ProductSums::kFloat16, {}), 10);
}

TEST(MatrixHardware, ABiasAloneRoundsInItsSums) {
  Precision declared;
  declared.product_sums = ProductSums::kFloat16;
  const OutputReference reference = refer(
      "linear", {},
      {named("x", {1, 2}, std::vector<float>{1.F, 1.F}),
       named("weight", {1, 2}, std::vector<float>{0.F, 0.F}), named("bias", {1}, std::vector<float>{0.1F})},
      declared);
  EXPECT_LE(worst(reference, std::vector<float>{static_cast<float>(cut(0.1, 10, true))}), 1);
}

TEST(MatrixHardware, OperandsBelowTheNormalRangeMayBeLost) {
  Precision declared;
  declared.products = Products::kBfloat16;
  const OutputReference reference = refer("linear", {},
                                          {named("x", {1, 1}, std::vector<float>{0x1p20F}),
                                           named("weight", {1, 1}, std::vector<float>{0x1p-134F})},
                                          declared);
  EXPECT_LE(worst(reference, std::vector<float>{0}), 1);
}

TEST(MatrixHardware, AnAgreementStillTells) {
  Precision declared;
  declared.products = Products::kTf32;
  const std::vector<float> x(64, 1.5F);
  const Case c{"linear", {}, {named("x", {1, 64}, x), named("weight", {1, 64}, x)}, {}};
  EXPECT_EQ(operation_oracle("linear", DType::kFloat32).evaluate(c, declared, {}, 1).vacuous, "");
}

TEST(MatrixHardware, TakesNumbersOf16BitsAsTheyAre) {
  Precision declared;
  declared.products = Products::kBfloat16;
  const std::vector<float> x(8, 1.125F);
  Case c{"linear", {}, {named("x", {1, 8}, x), named("weight", {1, 8}, x)}, {}};
  for (NamedTensor& input : c.inputs) input.tensor = convert(input.tensor, DType::kFloat16);
  const auto bound = [&](const Precision& precision) {
    return operation_oracle("linear", DType::kFloat16).evaluate(c, precision, {}, 1).outputs[0].bound;
  };
  EXPECT_EQ(bound(declared), bound({}));
}

TEST(MatrixHardware, SumsBeyondTheLargestFloat16MayBeAnything) {
  Precision declared;
  declared.product_sums = ProductSums::kFloat16;
  const std::vector<float> x{300, 300}, weight{200, 200};
  const OutputReference reference =
      refer("linear", {}, {named("x", {1, 2}, x), named("weight", {1, 2}, weight)}, declared);
  EXPECT_EQ(reference.admits, std::vector<std::uint8_t>{kAdmitsAnything});
}

}  // namespace
}  // namespace deformdiff::operation
