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

}  // namespace
}  // namespace deformdiff::operation
