// The plain backward is right; each fault of the backward is wrong on a case made for it, and right where its
// trigger is missing.
#include "faults/fault.h"
#include "faults/plain_backward.h"
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/test_inputs.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Inputs;

struct BackwardInputs {
  Inputs forward;
  at::Tensor grad_output;
};

BackwardInputs inputs_of(const TestShape& shape) {
  Inputs forward = test_inputs(shape);
  const at::Tensor gradient = random_tensor(output_shape(forward), shape.dtype, 11, -1, 1);
  return {std::move(forward), gradient};
}

GradientList right(const BackwardInputs& inputs) {
  return run_plain_backward<PlainBackward>(inputs.forward, inputs.grad_output);
}

/// No trigger: one batch, square maps of which points reach every pixel, few channels, nothing special.
BackwardInputs harmless(at::ScalarType dtype) {
  TestShape shape;
  shape.levels = {{3, 3}, {2, 2}};
  shape.batch = 1;
  shape.channels = 4;
  shape.queries = 40;
  shape.dtype = dtype;
  BackwardInputs inputs = inputs_of(shape);
  inputs.forward.sampling_loc = random_tensor(inputs.forward.sampling_loc.sizes(), dtype, 7, 0.05, 0.95);
  return inputs;
}

BackwardInputs changed(const std::function<void(TestShape&)>& change, at::ScalarType dtype = at::kFloat) {
  TestShape shape;
  shape.dtype = dtype;
  change(shape);
  return inputs_of(shape);
}

BackwardInputs anything() {
  return changed([](TestShape&) {});
}

BackwardInputs of_channels(std::int64_t channels) {
  return changed([&](TestShape& s) { s.channels = channels; });
}

BackwardInputs below_the_far_border() {
  BackwardInputs inputs = harmless(at::kDouble);
  inputs.forward.sampling_loc.select(3, 0).select(-1, 1).fill_((3 + 0.5) / 3 - 1e-10);
  return inputs;
}

/// In the middle of maps of an odd number of pixels along each side.
BackwardInputs on_centres() {
  BackwardInputs inputs = harmless(at::kFloat);
  inputs.forward.sampling_loc.select(3, 0).fill_(0.5);
  return inputs;
}

BackwardInputs with_permuted_levels() {
  BackwardInputs inputs = harmless(at::kFloat);
  inputs.forward.level_start_index[0] = 4;
  inputs.forward.level_start_index[1] = 0;
  return inputs;
}

BackwardInputs with_transposed_gradient() {
  BackwardInputs inputs = anything();
  inputs.grad_output = inputs.grad_output.transpose(1, 2).contiguous().transpose(1, 2);
  return inputs;
}

const std::map<std::string, std::function<BackwardInputs()>>& provocations() {
  static const std::map<std::string, std::function<BackwardInputs()>> table = {
      {"gradient_factors_swapped", anything},
      {"gradient_factors_missing", anything},
      {"gradient_without_weight", anything},
      {"gradient_without_output", anything},
      {"gradient_slopes_mixed", anything},
      {"gradient_of_next_head", anything},
      {"gradient_zero_on_centres", on_centres},
      {"gradient_yx", anything},
      {"gradient_pairs_of_channels", [] { return of_channels(3); }},
      {"gradient_tree_without_tail", [] { return of_channels(71); }},
      {"gradient_first_block_only", [] { return of_channels(513); }},
      {"gradient_last_block_only", [] { return of_channels(1024); }},
      {"gradient_float_for_double", [] { return harmless(at::kDouble); }},
      {"scatter_lost_updates", anything},
      {"scatter_to_border", anything},
      {"scatter_inside_only", anything},
      {"scatter_floorf_in_double", below_the_far_border},
      {"scatter_steps_on_one_another",
       [] {
         return changed([](auto& s) {
           s.batch = 3;
           s.im2col_step = 2;
         });
       }},
      {"scatter_grid_capped", [] { return changed([](auto& s) { s.queries = 700; }); }},
      {"scatter_last_query_dropped", anything},
      {"scatter_not_cleared", [] { return changed([](auto& s) { s.queries = 1; }); }},
      {"scatter_level_starts_ignored", with_permuted_levels},
      {"scatter_strides_ignored", with_transposed_gradient},
  };
  return table;
}

SubjectList backward_faults() {
  SubjectList list = gradient_faults();
  SubjectList more = scatter_faults();
  list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return list;
}

GradientList run_fault(Subject& fault, const BackwardInputs& inputs) {
  const std::string block = "ms_deform_attn_backward";
  const auto& [forward, grad_output] = inputs;
  const Attributes attributes{{"im2col_step", static_cast<double>(forward.im2col_step)}};
  const std::vector<std::string> names{"value",        "spatial_shapes", "level_start_index",
                                       "sampling_loc", "attn_weight",    "grad_output"};
  return fault.run({block,
                    attributes,
                    names,
                    {forward.value, forward.spatial_shapes, forward.level_start_index, forward.sampling_loc,
                     forward.attn_weight, grad_output}});
}

bool agrees(Subject& fault, const BackwardInputs& inputs) {
  const double tolerance = inputs.grad_output.scalar_type() == at::kFloat ? 1e-4 : 1e-11;
  const GradientList found = run_fault(fault, inputs), wanted = right(inputs);
  bool all = found.size() == wanted.size();
  for (std::size_t i = 0; all && i < found.size(); ++i)
    all = at::allclose(found[i], wanted[i], tolerance, tolerance);
  return all;
}

/// Types and numbers.
bool is_right_in_mixed_types(Subject& fault, const BackwardInputs& inputs) {
  const GradientList found = run_fault(fault, inputs);
  const ms_deform_attn::Gradients wanted = ms_deform_attn::backward_cpu(inputs.forward, inputs.grad_output);
  const std::vector<at::Tensor> each{wanted.value, wanted.sampling_loc, wanted.attn_weight};
  bool all = found.size() == each.size();
  for (std::size_t i = 0; all && i < found.size(); ++i) {
    all = found[i].scalar_type() == each[i].scalar_type() && at::allclose(found[i], each[i], 1e-5, 1e-6);
  }
  return all;
}

TEST(MixedGradients, FaultsAreWrongInMixedTypesAlone) {
  int tried = 0;
  for (const auto& fault : mixed_faults()) {
    if (!fault->info().blocks.contains("ms_deform_attn_backward")) continue;
    BackwardInputs inputs = anything();
    EXPECT_TRUE(is_right_in_mixed_types(*fault, inputs)) << fault->info().name;
    inputs.forward.value = inputs.forward.value.to(at::kBFloat16);
    inputs.grad_output = inputs.grad_output.to(at::kBFloat16);
    EXPECT_FALSE(is_right_in_mixed_types(*fault, inputs)) << fault->info().name;
    ++tried;
  }
  EXPECT_EQ(tried, 3);
}

TEST(MixedGradients, AFaultOfNumbersIsWrongInThemToo) {
  for (const auto& fault : gradient_faults()) {
    if (fault->info().name != "fault/gradient_yx") continue;
    BackwardInputs inputs = anything();
    inputs.forward.value = inputs.forward.value.to(at::kHalf);
    inputs.grad_output = inputs.grad_output.to(at::kHalf);
    const GradientList found = run_fault(*fault, inputs);
    EXPECT_EQ(found.at(0).scalar_type(), at::kHalf);
    EXPECT_EQ(found.at(1).scalar_type(), at::kFloat);
    EXPECT_FALSE(is_right_in_mixed_types(*fault, inputs));
    return;
  }
  FAIL();
}

double loss(const BackwardInputs& inputs) {
  return (forward_cpu(inputs.forward) * inputs.grad_output).sum().item<double>();
}

/// Central differences, whose error is that of rounding where the loss is linear or bilinear along an input.
TEST(PlainBackward, IsTheSlopeOfTheForward) {
  constexpr double kStep = 1e-6;
  BackwardInputs inputs = changed([](TestShape& s) { s.im2col_step = 1; }, at::kDouble);
  const GradientList found = right(inputs);
  const std::vector<at::Tensor*> moved{&inputs.forward.value, &inputs.forward.sampling_loc,
                                       &inputs.forward.attn_weight};
  int compared = 0, not_zero = 0;
  for (std::size_t k = 0; k < moved.size(); ++k) {
    const at::Tensor flat = moved[k]->view({-1});
    for (std::int64_t i = 0; i < flat.numel(); i += 5) {
      const double before = flat[i].item<double>();
      flat[i] = before + kStep;
      const double above = loss(inputs);
      flat[i] = before - kStep;
      const double below = loss(inputs);
      flat[i] = before;
      const double slope = (above - below) / (2 * kStep), gradient = found[k].view({-1})[i].item<double>();
      EXPECT_NEAR(gradient, slope, 1e-6) << "input " << k << ", element " << i;
      ++compared;
      not_zero += gradient == 0 ? 0 : 1;
    }
  }
  EXPECT_GT(not_zero, compared / 2);
}

class EachGradientFault : public testing::TestWithParam<std::string> {
 protected:
  EachGradientFault() {
    // Memory that nobody wrote then holds NaN.
    at::globalContext().setDeterministicAlgorithms(true, false);
    for (auto& fault : backward_faults()) {
      if (fault->info().name == GetParam()) fault_ = std::move(fault);
    }
    name_ = GetParam().substr(std::string("fault/").size());
  }
  ~EachGradientFault() override { at::globalContext().setDeterministicAlgorithms(false, false); }

  std::unique_ptr<Subject> fault_;
  std::string name_;
};

TEST_P(EachGradientFault, IsWrongOnItsCase) {
  ASSERT_TRUE(provocations().contains(name_)) << "the fault needs a case in this table";
  EXPECT_FALSE(agrees(*fault_, provocations().at(name_)()));
}

using EachTriggeredGradientFault = EachGradientFault;

TEST_P(EachTriggeredGradientFault, IsRightWithoutItsTrigger) {
  EXPECT_TRUE(agrees(*fault_, harmless(at::kFloat)));
}

TEST_P(EachGradientFault, SaysWhatIsWrongAndOfTheBackwardAlone) {
  const SubjectInfo info = fault_->info();
  EXPECT_FALSE(info.faulty.empty());
  EXPECT_FALSE(info.expected.empty());
  EXPECT_EQ(info.blocks, std::set<std::string>{"ms_deform_attn_backward"});
}

std::vector<std::string> names(bool triggered_only) {
  std::vector<std::string> names;
  for (const auto& fault : backward_faults()) {
    if (!triggered_only || !fault->info().trigger.empty()) names.push_back(fault->info().name);
  }
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  return info.param.substr(std::string("fault/").size());
}

INSTANTIATE_TEST_SUITE_P(Backward, EachGradientFault, testing::ValuesIn(names(false)), test_name);
INSTANTIATE_TEST_SUITE_P(Backward, EachTriggeredGradientFault, testing::ValuesIn(names(true)), test_name);

}  // namespace
}  // namespace deformdiff::worker
