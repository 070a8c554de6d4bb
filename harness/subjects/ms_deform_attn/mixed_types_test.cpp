// A value of 16 bits beside float32 locations and weights: computed in float32, and each result in its type.
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/composite.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/test_inputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

Inputs mixed(at::ScalarType of_value) {
  TestShape shape;
  shape.dtype = at::kFloat;
  Inputs inputs = test_inputs(shape);
  inputs.value = inputs.value.to(of_value);
  return inputs;
}

TEST(MixedTypes, OutputsAreThoseOfFloat32RoundedOnce) {
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    const Inputs inputs = mixed(type);
    const at::Tensor wide = forward_cpu(in_compute_type(inputs));
    const double step = type == at::kHalf ? 0x1p-10 : 0x1p-7;
    for (const auto forward : {forward_cpu, forward_cuda_emulated, forward_operator, forward_composite}) {
      const at::Tensor output = forward(inputs);
      EXPECT_EQ(output.scalar_type(), type);
      EXPECT_TRUE(at::allclose(output.to(at::kFloat), wide, step, 1e-6));
    }
    EXPECT_TRUE(forward_cpu(inputs).equal(wide.to(type)));
  }
}

TEST(MixedTypes, GradientsHaveTheTypesOfTheirInputs) {
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    const Inputs inputs = mixed(type);
    const at::Tensor grad_output = test_grad_output(inputs);
    const Gradients wide = backward_cpu(in_compute_type(inputs), grad_output.to(at::kFloat));
    for (const auto backward : {backward_cpu, backward_cuda_emulated, backward_operator}) {
      const Gradients gradients = backward(inputs, grad_output);
      EXPECT_EQ(gradients.value.scalar_type(), type);
      EXPECT_TRUE(at::allclose(gradients.sampling_loc, wide.sampling_loc, 1e-4, 1e-5));
      EXPECT_TRUE(at::allclose(gradients.attn_weight, wide.attn_weight, 1e-4, 1e-5));
    }
  }
}

TEST(MixedTypes, AutogradKeepsTheTypes) {
  const at::AutoGradMode enabled(true);
  for (const auto forward : {forward_operator, forward_composite}) {
    Inputs inputs = mixed(at::kBFloat16);
    for (at::Tensor* leaf : {&inputs.value, &inputs.sampling_loc, &inputs.attn_weight})
      leaf->requires_grad_();
    const auto gradients =
        torch::autograd::grad({forward(inputs)}, {inputs.value, inputs.sampling_loc, inputs.attn_weight},
                              {test_grad_output(inputs)});
    EXPECT_EQ(gradients[0].scalar_type(), at::kBFloat16);
    EXPECT_EQ(gradients[1].scalar_type(), at::kFloat);
    EXPECT_EQ(gradients[2].scalar_type(), at::kFloat);
  }
}

TEST(MixedTypes, MetaKernelsGiveTheSameTypes) {
  const Inputs inputs = mixed(at::kHalf);
  const auto on_meta = [](const at::Tensor& tensor) { return tensor.to(at::kMeta); };
  const Inputs meta{
      on_meta(inputs.value),        on_meta(inputs.spatial_shapes), on_meta(inputs.level_start_index),
      on_meta(inputs.sampling_loc), on_meta(inputs.attn_weight),    inputs.im2col_step};
  EXPECT_EQ(forward_operator(meta).scalar_type(), at::kHalf);
  const Gradients gradients = backward_operator(meta, on_meta(test_grad_output(inputs)));
  EXPECT_EQ(gradients.value.scalar_type(), at::kHalf);
  EXPECT_EQ(gradients.sampling_loc.scalar_type(), at::kFloat);
}

TEST(MixedTypes, OtherMixturesAreRefused) {
  Inputs inputs = mixed(at::kFloat);
  inputs.sampling_loc = inputs.sampling_loc.to(at::kHalf);
  EXPECT_THROW(forward_cpu(inputs), c10::TypeError);
  inputs = mixed(at::kHalf);
  inputs.attn_weight = inputs.attn_weight.to(at::kDouble);
  EXPECT_THROW(forward_cpu(inputs), c10::TypeError);
  inputs = mixed(at::kHalf);
  EXPECT_THROW(backward_cpu(inputs, test_grad_output(inputs).to(at::kFloat)), c10::TypeError);
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn
