// Sets of cases whose tensors are partly of 16 bits and partly float32.
#include "core/sixteen_bits.h"
#include "oracles/operations/cases_test.h"

#include <array>

namespace deformdiff::operation {
namespace {

constexpr std::array kBoth{DType::kFloat16, DType::kBFloat16};
constexpr std::array kArithmetics{Arithmetic::kWide, Arithmetic::kOperations, Arithmetic::kStorage};

NamedTensor as(DType dtype, NamedTensor tensor) {
  tensor.tensor = convert(tensor.tensor, dtype);
  return tensor;
}

/// Of maps of 7 x 9; locations and weights are no numbers of 16 bits.
Case sampling_case(const std::string& operation, DType of_value) {
  Dice dice(11);
  Case c{operation,
         {{"im2col_step", 64}},
         {as(of_value, named("value", {1, 63, 2, 3}, dice.uniforms<float>(378, -2, 2))),
          named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{7, 9}),
          named("level_start_index", {1}, std::vector<std::int64_t>{0}),
          named("sampling_loc", {1, 5, 2, 1, 4, 2}, dice.uniforms<float>(80, -0.1, 1.1)),
          named("attn_weight", {1, 5, 2, 1, 4}, dice.uniforms<float>(40, 0, 1))},
         {}};
  c.inputs.push_back(as(of_value, named("grad_output", {1, 5, 6}, dice.uniforms<float>(30, -1, 1))));
  return c;
}

Case without_gradient(Case c) {
  c.inputs.pop_back();
  return c;
}

Case widened(Case c) {
  for (NamedTensor& input : c.inputs) {
    if (is_floating(input.tensor.dtype())) input.tensor = convert(input.tensor, DType::kFloat32);
  }
  return c;
}

OutputReference evaluated(const Case& c, DType dtype, Arithmetic arithmetic = Arithmetic::kWide) {
  Precision precision;
  precision.arithmetic = arithmetic;
  return operation_oracle(c.block, dtype).evaluate(c, precision, {}, 1).outputs.front();
}

TEST(MixedTypes, TheOutputIsTheFloat32OneRoundedOnce) {
  for (const DType dtype : kBoth) {
    const Case c = without_gradient(sampling_case("ms_deform_attn", dtype));
    const OutputReference exact = evaluated(widened(c), DType::kFloat32);
    // Operations of tensors compute in float32 too: that is what the types promote to.
    for (const Arithmetic arithmetic : {Arithmetic::kWide, Arithmetic::kOperations}) {
      const OutputReference output = evaluated(c, dtype, arithmetic);
      EXPECT_EQ(output.dtype, dtype);
      for (std::size_t i = 0; i < output.value.size(); ++i) {
        const double stored = round_to(sixteen_bit_format(dtype), exact.value[i]);
        EXPECT_LE(ratio_at(output, i, stored), 1);
        EXPECT_LE(output.bound[i], 2.1 * float_format(dtype).unit_roundoff * std::abs(stored));
      }
    }
  }
}

/// Sampled where locations rounded to value's type lie, most elements leave their sets.
TEST(MixedTypes, LocationsKeepTheirBits) {
  for (const DType dtype : kBoth) {
    const Case c = without_gradient(sampling_case("ms_deform_attn", dtype));
    Case rounded = c;
    rounded.inputs[3] = as(DType::kFloat32, as(dtype, c.inputs[3]));
    const OutputReference wanted = evaluated(c, dtype), found = evaluated(rounded, dtype);
    std::size_t outside = 0;
    for (std::size_t i = 0; i < wanted.value.size(); ++i)
      outside += ratio_at(wanted, i, found.value[i]) > 1 ? 1 : 0;
    EXPECT_GT(outside, wanted.value.size() / 2) << name_of(dtype);
  }
}

TEST(MixedTypes, GradientsHaveTheTypesOfTheirInputs) {
  for (const DType dtype : kBoth) {
    for (const char* operation : {"ms_deform_attn_grad_sampling_loc", "ms_deform_attn_grad_attn_weight"}) {
      const Case c = sampling_case(operation, dtype);
      const OutputReference wide = evaluated(widened(c), DType::kFloat32);
      const OutputReference found = evaluated(c, dtype);
      EXPECT_EQ(found.dtype, DType::kFloat32);
      EXPECT_EQ(found.value, wide.value);
      EXPECT_EQ(found.bound, wide.bound);
    }
    const Case c = sampling_case("ms_deform_attn_grad_value", dtype);
    for (const Arithmetic arithmetic : kArithmetics) EXPECT_EQ(evaluated(c, dtype, arithmetic).dtype, dtype);
    // All of one type, all of its gradients are.
    Case uniform = sampling_case("ms_deform_attn_grad_sampling_loc", dtype);
    for (const std::size_t i : {3, 4}) uniform.inputs[i] = as(dtype, uniform.inputs[i]);
    EXPECT_EQ(evaluated(uniform, dtype).dtype, dtype);
  }
}

/// A step that rounds to value's type may lose as much of a float32 result.
TEST(MixedTypes, EveryStepRoundsToTheTypeOfValue) {
  const Case c = sampling_case("ms_deform_attn_grad_attn_weight", DType::kFloat16);
  const OutputReference found = evaluated(c, DType::kFloat16, Arithmetic::kStorage),
                        wide = evaluated(c, DType::kFloat16);
  for (std::size_t i = 0; i < found.value.size(); ++i) {
    if (wide.bound[i] == 0) continue;
    EXPECT_GT(found.bound[i], 1000 * wide.bound[i]);
    EXPECT_NEAR(found.value[i], wide.value[i], 1e-12);
  }
}

Precision under(Autocast autocast) {
  Precision precision;
  precision.autocast = autocast;
  return precision;
}

/// 1 + 2^-12 is no number of float16: a product takes 1 for it under autocast, and itself without.
TEST(MixedTypes, ProductsRoundTheirOperandsUnderAutocastAlone) {
  const Case c{"linear",
               {},
               {named("x", {1, 2}, std::vector<float>{1 + 0x1p-12F, 2048}),
                named("weight", {1, 2}, std::vector<float>{1024, -0.5F})},
               {}};
  const auto at = [&](Autocast autocast, double value) {
    const Reference reference =
        operation_oracle("linear", DType::kFloat16).evaluate(c, under(autocast), {}, 1);
    return ratio_at(reference.outputs[0], 0, value);
  };
  EXPECT_LE(at(Autocast::kFloat16, 0), 1);
  EXPECT_GT(at(Autocast::kFloat16, 0.25), 1);
  EXPECT_GT(at(Autocast::kNone, 0), 1);
  EXPECT_LE(at(Autocast::kNone, 0.25), 1);
  EXPECT_LE(at(Autocast::kBFloat16, 0.25), 1);  // the other type's
  EXPECT_TRUE(operation_oracle("matmul", DType::kBFloat16).casts_operands(under(Autocast::kBFloat16)));
  EXPECT_FALSE(operation_oracle("softmax", DType::kBFloat16).casts_operands(under(Autocast::kBFloat16)));
  EXPECT_FALSE(operation_oracle("matmul", DType::kFloat32).casts_operands(under(Autocast::kBFloat16)));
}

/// Half x and float32 parameters, or the other way round: numbers are what they are.
TEST(MixedTypes, InputsOfBothTypesAreTakenAsTheyAre) {
  Dice dice(3);
  const NamedTensor x = named("x", {4, 8}, dice.uniforms<float>(32, -2, 2)),
                    weight = named("weight", {8}, dice.uniforms<float>(8, -2, 2)),
                    bias = named("bias", {8}, dice.uniforms<float>(8, -2, 2));
  for (const DType dtype : kBoth) {
    const Case mixed{"layer_norm", {{"eps", 1e-5}}, {as(dtype, x), weight, bias}, {}};
    const OutputReference exact = evaluated(widened(mixed), DType::kFloat32),
                          wide = evaluated(mixed, DType::kFloat32), narrow = evaluated(mixed, dtype);
    EXPECT_EQ(wide.dtype, DType::kFloat32);
    EXPECT_EQ(wide.value, exact.value);
    EXPECT_EQ(wide.bound, exact.bound);
    EXPECT_EQ(narrow.dtype, dtype);
    for (std::size_t i = 0; i < exact.value.size(); ++i)
      EXPECT_LE(ratio_at(narrow, i, round_to(sixteen_bit_format(dtype), exact.value[i])), 1);
  }
}

/// Offsets of 16 bits over a whole number round in their type, or not; then float32 points are added.
TEST(MixedTypes, QuotientsOfOffsetsRoundInTheirType) {
  Dice dice(5);
  const std::vector<float> offsets = dice.uniforms<float>(16, -4, 4), points = dice.uniforms<float>(4, 0, 1);
  for (const DType dtype : kBoth) {
    const Case c{"sampling_locations",
                 {},
                 {as(dtype, named("offsets", {1, 2, 1, 1, 4, 2}, offsets)),
                  named("reference_points", {1, 2, 1, 2}, points),
                  named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{7, 300})},
                 {}};
    const OutputReference set = evaluated(c, DType::kFloat32);
    EXPECT_EQ(set.dtype, DType::kFloat32);
    const double unit = float_format(dtype).unit_roundoff;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const SixteenBitFormat& format = sixteen_bit_format(dtype);
      const double offset = round_to(format, static_cast<double>(offsets[i])), side = i % 2 == 0 ? 300 : 7;
      const double point = points[i / 8 * 2 + i % 2];
      for (const double quotient : {round_to(format, offset / round_to(format, side)), offset / side}) {
        const auto stored = static_cast<float>(point + static_cast<double>(static_cast<float>(quotient)));
        EXPECT_LE(ratio_at(set, i, stored), 1) << i;
      }
      // Not as if the sum were rounded as well.
      EXPECT_LE(set.bound[i], 6 * unit * std::abs(offset / side) + 1e-6);
    }
  }
}

}  // namespace
}  // namespace deformdiff::operation
