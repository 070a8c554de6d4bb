// Each numerical fault is wrong on a case made for it, and right where its trigger is missing.
#include "faults/fault.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/test_inputs.h"

#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <stop_token>
#include <string>
#include <thread>

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Inputs;

/// No trigger: square maps, points well inside, small extents in multiples of 4, nothing special.
TestShape harmless_shape(at::ScalarType dtype) {
  TestShape shape;
  shape.levels = {{4, 4}, {3, 3}};
  shape.channels = 4;
  shape.dtype = dtype;
  return shape;
}

Inputs harmless_inputs(const TestShape& shape) {
  Inputs inputs = test_inputs(shape);
  inputs.sampling_loc = random_tensor(inputs.sampling_loc.sizes(), shape.dtype, 7, 0.2, 0.8);
  return inputs;
}

using Change = std::function<void(TestShape&)>;

Inputs changed(const Change& change, at::ScalarType dtype = at::kFloat) {
  TestShape shape = harmless_shape(dtype);
  change(shape);
  return test_inputs(shape);
}

Inputs anything() {
  return changed([](TestShape&) {});
}

Inputs below_the_far_border() {
  TestShape shape = harmless_shape(at::kDouble);
  Inputs inputs = harmless_inputs(shape);
  inputs.sampling_loc.select(3, 0).select(-1, 1).fill_((4 + 0.5) / 4 - 1e-10);
  return inputs;
}

Inputs with_value(double value) {
  Inputs inputs = anything();
  inputs.value.fill_(value);
  return inputs;
}

Inputs with_nan_location() {
  Inputs inputs = harmless_inputs(harmless_shape(at::kFloat));
  inputs.sampling_loc.select(4, 0).fill_(std::numeric_limits<double>::quiet_NaN());
  return inputs;
}

Inputs with_negative_weights() {
  Inputs inputs = anything();
  inputs.attn_weight.neg_();
  return inputs;
}

Inputs with_permuted_levels() {
  Inputs inputs = anything();
  inputs.level_start_index[0] = 9;
  inputs.level_start_index[1] = 0;
  return inputs;
}

Inputs with_transposed_value() {
  Inputs inputs = anything();
  inputs.value = inputs.value.transpose(1, 3).contiguous().transpose(1, 3);
  return inputs;
}

Inputs with_half_value(Inputs inputs) {
  inputs.value = inputs.value.to(at::kHalf);
  return inputs;
}

/// One point of each query is inside: there is little to compute.
Inputs with_many_products() {
  Inputs inputs = changed([](TestShape& s) {
    s.levels = {{1, 1}};
    s.batch = s.heads = 1;
    s.channels = 4096;
    s.queries = 2049;
    s.points = 256;
  });
  inputs.sampling_loc.fill_(9);
  inputs.sampling_loc.select(4, 0).fill_(0.5);
  return inputs;
}

const std::map<std::string, std::function<Inputs()>>& provocations() {
  static const std::map<std::string, std::function<Inputs()>> table = {
      {"swapped_normaliser", [] { return changed([](auto& s) {
                                    s.levels = {{3, 8}};
                                  }); }},
      {"floorf_in_double", below_the_far_border},
      {"align_corners", anything},
      {"half_pixel", anything},
      {"border_padding", anything},
      {"range_from_zero", anything},
      {"range_to_last_pixel", anything},
      {"nearest_pixel", anything},
      {"last_level_transposed", anything},
      {"half_accumulation", anything},
      {"float_for_double", [] { return changed([](auto&) {}, at::kDouble); }},
      {"half_locations", anything},
      {"rounded_grid",
       [] {
         Inputs inputs = anything();
         for (at::Tensor* tensor : {&inputs.value, &inputs.sampling_loc, &inputs.attn_weight})
           *tensor = tensor->to(at::kHalf);
         return inputs;
       }},
      {"mixed_rounded_locations", [] { return with_half_value(anything()); }},
      {"mixed_rounded_weights", [] { return with_half_value(anything()); }},
      {"mixed_misread_locations", [] { return with_half_value(anything()); }},
      {"mixed_promoted_output", [] { return with_half_value(anything()); }},
      {"tf32_weights", anything},
      {"nan_location_spreads", with_nan_location},
      {"nan_to_num", [] { return with_value(std::numeric_limits<double>::infinity()); }},
      {"softmax_again", anything},
      {"negative_weights_dropped", with_negative_weights},
      {"neighbour_batch", anything},
      {"first_level_normalises", anything},
      {"heads_points_swapped", anything},
      {"xy_swapped", anything},
      {"channels_interleaved", anything},
      {"level_starts_ignored", with_permuted_levels},
      {"strides_ignored", with_transposed_value},
      {"batch_remainder_dropped",
       [] {
         return changed([](auto& s) {
           s.batch = 3;
           s.im2col_step = 2;
         });
       }},
      {"grid_capped", [] { return changed([](auto& s) { s.queries = 700; }); }},
      {"products_in_32_bits", with_many_products},
      {"queries_in_16_bits", [] { return changed([](auto& s) { s.queries = 65537; }); }},
      {"batch_beyond_grid", [] { return changed([](auto& s) { s.batch = 65536; }); }},
      {"batch_beyond_block", [] { return changed([](auto& s) { s.batch = 1025; }); }},
      {"sides_in_16_bits", [] { return changed([](auto& s) {
                                  s.levels = {{1, 40000}};
                                }); }},
      {"last_query_dropped", anything},
      {"tail_channels_zero", [] { return changed([](auto& s) { s.channels = 6; }); }},
      {"tail_channels_unwritten", [] { return changed([](auto& s) { s.channels = 6; }); }},
      {"launch_error_ignored", [] { return changed([](auto& s) { s.channels = 1025; }); }},
      {"four_levels", [] { return changed([](auto& s) {
                             s.levels.assign(5, {3, 3});
                           }); }},
      {"eight_points", [] { return changed([](auto& s) { s.points = 9; }); }},
      {"cached_by_shape", anything},
      {"dirty_at_first", anything},
      {"traced_unregistered_kernel", anything},
      {"traced_uninitialised", anything},
      {"traced_baked_constant", anything},
  };
  return table;
}

SubjectList numerical_faults() {
  SubjectList list;
  for (auto make : {sampling_faults, arithmetic_faults, mixed_faults, indexing_faults, limit_faults,
                    state_faults, traced_faults}) {
    SubjectList more = make();
    list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  // Those of the backward: gradient_faults_test.
  std::erase_if(list, [](const auto& fault) { return !fault->info().blocks.contains("ms_deform_attn"); });
  return list;
}

bool agrees(Subject& fault, const Inputs& inputs) {
  const double tolerance = inputs.value.scalar_type() == at::kFloat ? 1e-5 : 1e-12;
  const at::Tensor found = run_subject(fault, inputs), right = forward_cpu(inputs);
  return found.scalar_type() == right.scalar_type() &&
         at::allclose(found, right, tolerance, tolerance, /*equal_nan=*/true);
}

class EachFault : public testing::TestWithParam<std::string> {
 protected:
  EachFault() {
    // Memory that nobody wrote then holds NaN.
    at::globalContext().setDeterministicAlgorithms(true, false);
    for (auto& fault : numerical_faults()) {
      if (fault->info().name == GetParam()) fault_ = std::move(fault);
    }
    name_ = GetParam().substr(std::string("fault/").size());
  }
  ~EachFault() override { at::globalContext().setDeterministicAlgorithms(false, false); }

  std::unique_ptr<Subject> fault_;
  std::string name_;
};

/// Right alone, and sooner or later wrong while another thread calls it on other numbers.
bool is_wrong_at_once(Subject& fault) {
  EXPECT_TRUE(agrees(fault, anything()));
  const std::jthread other([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) run_subject(fault, test_inputs(harmless_shape(at::kFloat), 99));
  });
  constexpr int kMostCalls = 100000;
  for (int i = 0; i < kMostCalls; ++i) {
    if (!agrees(fault, anything())) return true;
  }
  return false;
}

TEST_P(EachFault, IsWrongOnItsCase) {
  if (fault_->info().calls == Concurrency::kAtOnce) {
    EXPECT_TRUE(is_wrong_at_once(*fault_));
    return;
  }
  ASSERT_TRUE(provocations().contains(name_)) << "the fault needs a case in this table";
  if (name_ == "cached_by_shape") run_subject(*fault_, test_inputs(harmless_shape(at::kFloat), 99));
  EXPECT_FALSE(agrees(*fault_, provocations().at(name_)()));
}

TEST(MixedTypes, AFaultOfNumbersIsWrongInThemToo) {
  for (const auto& fault : sampling_faults()) {
    if (fault->info().name != "fault/nearest_pixel") continue;
    EXPECT_EQ(fault->info().mixed_dtypes, (std::set<DType>{DType::kFloat16, DType::kBFloat16}));
    const Inputs inputs = with_half_value(anything());
    EXPECT_EQ(run_subject(*fault, inputs).scalar_type(), at::kHalf);
    EXPECT_FALSE(agrees(*fault, inputs));
    return;
  }
  FAIL();
}

using EachTriggeredFault = EachFault;

TEST_P(EachTriggeredFault, IsRightWithoutItsTrigger) {
  const std::string trigger = fault_->info().trigger;
  EXPECT_TRUE(
      agrees(*fault_, harmless_inputs(harmless_shape(trigger == "float32" ? at::kDouble : at::kFloat))));
}

TEST_P(EachFault, SaysWhatIsWrongAndWhatItMustGet) {
  EXPECT_FALSE(fault_->info().faulty.empty());
  EXPECT_FALSE(fault_->info().expected.empty());
}

std::vector<std::string> names(bool triggered_only) {
  std::vector<std::string> names;
  for (const auto& fault : numerical_faults()) {
    if (!triggered_only || !fault->info().trigger.empty()) names.push_back(fault->info().name);
  }
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  return info.param.substr(std::string("fault/").size());
}

INSTANTIATE_TEST_SUITE_P(Numerical, EachFault, testing::ValuesIn(names(false)), test_name);
INSTANTIATE_TEST_SUITE_P(Numerical, EachTriggeredFault, testing::ValuesIn(names(true)), test_name);

}  // namespace
}  // namespace deformdiff::worker
