// The gradients of each implementation against the mathematics, and against its own forward and contract.
#include "subjects/ms_deform_attn/backward.h"

#include "subjects/every_subject_test.h"
#include "subjects/subjects.h"
#include "subjects/test_inputs.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <tuple>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Gradients;
using ms_deform_attn::Inputs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return a.numel() == 0 ? 0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

bool are_equal(const Gradients& a, const Gradients& b) {
  return at::equal(a.value, b.value) && at::equal(a.sampling_loc, b.sampling_loc) &&
         at::equal(a.attn_weight, b.attn_weight);
}

bool is_zero(const at::Tensor& tensor) {
  return tensor.eq(0).all().item<bool>();
}

bool is_nan(const at::Tensor& tensor) {
  return tensor.isnan().all().item<bool>();
}

/// Bilinear interpolation weighs each pixel of a map with hat(x - column) * hat(y - row): no cells, no
/// corners.
double hat(double t) {
  return std::max(0.0, 1 - std::abs(t));
}

/// Where |t| is neither 0 nor 1.
double hat_slope(double t) {
  return std::abs(t) > 1 ? 0 : t < 0 ? 1 : -1;
}

/// In float64, from the definition in blocks/ms_deform_attn.h, a product of hats for every pixel of a level.
Gradients plain_formula(const Inputs& any, const at::Tensor& any_grad) {
  const auto dense = [](const at::Tensor& tensor) { return tensor.to(at::kDouble).contiguous(); };
  const at::Tensor value = dense(any.value), location = dense(any.sampling_loc),
                   weight = dense(any.attn_weight),
                   grad = dense(any_grad).view({any.value.size(0), -1, any.value.size(2), any.value.size(3)});
  const Gradients sums{at::zeros_like(value), at::zeros_like(location), at::zeros_like(weight)};
  const auto v = value.accessor<double, 4>(), g = grad.accessor<double, 4>();
  const auto shapes = any.spatial_shapes.accessor<std::int64_t, 2>();
  const auto starts = any.level_start_index.accessor<std::int64_t, 1>();
  const auto loc = location.accessor<double, 6>();
  const auto a = weight.accessor<double, 5>();
  auto grad_v = sums.value.accessor<double, 4>();
  auto grad_loc = sums.sampling_loc.accessor<double, 6>();
  auto grad_a = sums.attn_weight.accessor<double, 5>();
  const auto add_pixel = [&](std::int64_t n, std::int64_t q, std::int64_t m, std::int64_t l, std::int64_t p,
                             std::int64_t row, std::int64_t column) {
    const auto height = static_cast<double>(shapes[l][0]), width = static_cast<double>(shapes[l][1]);
    const double x = loc[n][q][m][l][p][0] * width - 0.5 - static_cast<double>(column);
    const double y = loc[n][q][m][l][p][1] * height - 0.5 - static_cast<double>(row);
    const std::int64_t pixel = starts[l] + row * shapes[l][1] + column;
    for (std::int64_t d = 0; d < value.size(3); ++d) {
      const double product = g[n][q][m][d] * v[n][pixel][m][d];
      grad_v[n][pixel][m][d] += g[n][q][m][d] * a[n][q][m][l][p] * hat(x) * hat(y);
      grad_a[n][q][m][l][p] += product * hat(x) * hat(y);
      grad_loc[n][q][m][l][p][0] += product * a[n][q][m][l][p] * width * hat_slope(x) * hat(y);
      grad_loc[n][q][m][l][p][1] += product * a[n][q][m][l][p] * height * hat(x) * hat_slope(y);
    }
  };
  for (std::int64_t i = 0; i < weight.numel(); ++i) {
    const std::int64_t p = i % weight.size(4), l = i / weight.size(4) % weight.size(3);
    const std::int64_t m = i / weight.stride(2) % weight.size(2);
    const std::int64_t q = i / weight.stride(1) % weight.size(1), n = i / weight.stride(0);
    for (std::int64_t pixel = 0; pixel < shapes[l][0] * shapes[l][1]; ++pixel) {
      add_pixel(n, q, m, l, p, pixel / shapes[l][1], pixel % shapes[l][1]);
    }
  }
  return sums;
}

class EachBackward : public testing::TestWithParam<std::tuple<std::string, at::ScalarType>> {
 protected:
  EachBackward() {
    for (auto& subject : builtin_subjects()) {
      if (subject->info().name == std::get<0>(GetParam())) subject_ = std::move(subject);
    }
    shape_.dtype = std::get<1>(GetParam());
  }

  void SetUp() override {
    ASSERT_NE(subject_, nullptr);
    if (const std::string reason = subject_->info().not_run; !reason.empty()) GTEST_SKIP() << reason;
    subject_->prepare();
  }

  at::Tensor placed(const at::Tensor& tensor) const { return on_device() ? tensor.to(at::kCUDA) : tensor; }

  Inputs placed(const Inputs& i) const {
    return {placed(i.value),        placed(i.spatial_shapes), placed(i.level_start_index),
            placed(i.sampling_loc), placed(i.attn_weight),    i.im2col_step};
  }

  Gradients run(const Inputs& inputs, const at::Tensor& grad_output) {
    const at::NoGradGuard as_in_a_worker;
    const Gradients found = run_backward(*subject_, placed(inputs), placed(grad_output));
    for (const at::Tensor& gradient : {found.value, found.sampling_loc, found.attn_weight}) {
      EXPECT_EQ(gradient.scalar_type(), shape_.dtype);
      EXPECT_FALSE(gradient.requires_grad());
    }
    return {found.value.cpu(), found.sampling_loc.cpu(), found.attn_weight.cpu()};
  }

  void expect_plain_formula(const Inputs& inputs, const at::Tensor& grad_output) {
    const Gradients found = run(inputs, grad_output), wanted = plain_formula(inputs, grad_output);
    // Of float32's, coordinates of a map of 7 pixels have errors of 1e-6 at most; gradients change by a few
    // times that.
    const double tolerance = shape_.dtype == at::kFloat ? 2e-4 : 1e-12;
    EXPECT_LT(largest_difference(found.value, wanted.value), tolerance);
    EXPECT_LT(largest_difference(found.sampling_loc, wanted.sampling_loc), tolerance);
    EXPECT_LT(largest_difference(found.attn_weight, wanted.attn_weight), tolerance);
  }

  bool on_device() const { return subject_->info().device == "cuda"; }

  std::unique_ptr<Subject> subject_;
  TestShape shape_;
};

TEST_P(EachBackward, AgreesWithTheMathematics) {
  for (const std::int64_t channels : {1, 5, 17, 32}) {
    shape_.channels = channels;
    const Inputs inputs = test_inputs(shape_, static_cast<std::uint64_t>(channels));
    expect_plain_formula(inputs, test_grad_output(inputs));
  }
}

TEST_P(EachBackward, AddsUpWhatLevelsShareAndLeavesOtherRowsZero) {
  Inputs inputs = test_inputs(shape_);
  inputs.level_start_index[0] = 4;   // rows 4 to 38
  inputs.level_start_index[1] = 30;  // rows 30 to 41
  const at::Tensor grad_output = test_grad_output(inputs);
  expect_plain_formula(inputs, grad_output);
  const at::Tensor grad_value = run(inputs, grad_output).value;
  EXPECT_TRUE(is_zero(grad_value.narrow(1, 0, 4)));
  EXPECT_TRUE(is_zero(grad_value.narrow(1, 42, 5)));
}

TEST_P(EachBackward, IsTheDerivativeOfItsForward) {
  if (shape_.dtype != at::kDouble) GTEST_SKIP() << "differences of float32 say little";
  const Inputs inputs = test_inputs(shape_), direction = test_inputs(shape_, 2);
  const at::Tensor grad_output = test_grad_output(inputs);
  const auto forward = [&](double step) {
    Inputs moved = inputs;
    moved.value = inputs.value + step * direction.value;
    moved.sampling_loc = inputs.sampling_loc + step * direction.sampling_loc;
    moved.attn_weight = inputs.attn_weight + step * direction.attn_weight;
    return (grad_output * run_subject(*subject_, placed(moved)).cpu()).sum().item<double>();
  };
  const Gradients found = run(inputs, grad_output);
  const double slope =
      ((found.value * direction.value).sum() + (found.sampling_loc * direction.sampling_loc).sum() +
       (found.attn_weight * direction.attn_weight).sum())
          .item<double>();
  constexpr double kStep = 1e-6;
  EXPECT_NEAR((forward(kStep) - forward(-kStep)) / (2 * kStep), slope, 1e-7 * (1 + std::abs(slope)));
}

TEST_P(EachBackward, TakesStridedTensors) {
  const Inputs dense = test_inputs(shape_);
  Inputs strided = dense;
  strided.value = dense.value.transpose(1, 3).contiguous().transpose(1, 3);
  strided.sampling_loc = dense.sampling_loc.transpose(0, 5).contiguous().transpose(0, 5);
  strided.attn_weight = dense.attn_weight.permute({4, 2, 0, 3, 1}).contiguous().permute({2, 4, 1, 3, 0});
  strided.spatial_shapes = dense.spatial_shapes.t().contiguous().t();
  const at::Tensor grad_output = test_grad_output(dense);
  const at::Tensor strided_grad = grad_output.permute({2, 0, 1}).contiguous().permute({1, 2, 0});
  ASSERT_FALSE(strided_grad.is_contiguous());
  const auto expect_same = [&](const at::Tensor& one, const at::Tensor& other) {
    if (!on_device()) {
      EXPECT_TRUE(are_equal(run(strided, one), run(dense, other)));
    }
    expect_plain_formula(strided, one);
  };
  expect_same(strided_grad, grad_output);
  const at::Tensor ones = grad_output.new_ones({1}).expand(grad_output.sizes());  // that of output.sum()
  expect_same(ones, ones.contiguous());
}

TEST_P(EachBackward, GivesZerosWhereThereIsNothingToSum) {
  for (int empty = 0; empty < 6; ++empty) {
    TestShape shape = shape_;
    if (empty == 0) shape.batch = 0;
    if (empty == 1) shape.heads = 0;
    if (empty == 2) shape.channels = 0;
    if (empty == 3) shape.queries = 0;
    if (empty == 4) shape.points = 0;
    if (empty == 5) shape.levels = {};
    const Inputs inputs = test_inputs(shape);
    const Gradients found = run(inputs, test_grad_output(inputs));
    EXPECT_EQ(found.value.sizes(), inputs.value.sizes()) << "extent " << empty;
    EXPECT_EQ(found.sampling_loc.sizes(), inputs.sampling_loc.sizes()) << "extent " << empty;
    EXPECT_EQ(found.attn_weight.sizes(), inputs.attn_weight.sizes()) << "extent " << empty;
    EXPECT_TRUE(is_zero(found.value) && is_zero(found.sampling_loc) && is_zero(found.attn_weight))
        << "extent " << empty;
  }
}

TEST_P(EachBackward, RepeatsItsBitsWhereItSaysSo) {
  if (subject_->info().contract.deterministic != Deterministic::kYes) GTEST_SKIP() << "it does not";
  shape_.queries = 200;
  const Inputs inputs = test_inputs(shape_);
  const at::Tensor grad_output = test_grad_output(inputs);
  EXPECT_TRUE(are_equal(run(inputs, grad_output), run(inputs, grad_output)));
}

/// Locations whose coordinate on `axis` is exactly `pixels` on the one map, a power of two wide and high.
Inputs at_coordinate(TestShape shape, std::int64_t axis, double pixels) {
  shape.levels = {{4, 8}};
  Inputs inputs = test_inputs(shape);
  inputs.sampling_loc.fill_(0.4);
  inputs.sampling_loc.select(-1, axis).fill_((pixels + 0.5) / (axis == 0 ? 8 : 4));
  return inputs;
}

TEST_P(EachBackward, KeepsItsContractAtTheEdge) {
  const EdgeGradient contract = subject_->info().contract.edge_gradient;
  for (const std::int64_t axis : {0, 1}) {
    for (const double edge : {-1.0, axis == 0 ? 8.0 : 4.0}) {
      for (const std::int64_t queries : {1, 17}) {
        shape_.queries = queries;
        const Inputs inputs = at_coordinate(shape_, axis, edge);
        const Gradients found = run(inputs, test_grad_output(inputs));
        EXPECT_TRUE(is_zero(found.value) && is_zero(found.attn_weight)) << edge << " on axis " << axis;
        EXPECT_TRUE(is_zero(found.sampling_loc.select(-1, 1 - axis)));
        // grid_sampler takes the slope of the cell from -1 to 0 there, and none beyond the last pixel's.
        const bool zero = contract == EdgeGradient::kZero || edge > 0;
        const at::Tensor across = found.sampling_loc.select(-1, axis);
        EXPECT_TRUE(zero ? is_zero(across) : across.ne(0).all().item<bool>()) << edge << " on axis " << axis;
      }
    }
  }
}

TEST_P(EachBackward, KeepsItsContractForLocations) {
  const bool zero = subject_->info().contract.nonfinite_location == NonfiniteLocation::kZero;
  for (const std::int64_t queries : {1, 3, 8, 17}) {
    shape_.queries = queries;
    for (const double location : {kNan, kInf, -kInf}) {
      for (const std::int64_t axis : {0, 1}) {
        Inputs inputs = test_inputs(shape_);
        inputs.sampling_loc.select(-1, axis).fill_(location);
        if (zero) inputs.attn_weight.fill_(kNan);
        const Gradients found = run(inputs, test_grad_output(inputs));
        const at::Tensor along = found.sampling_loc.select(-1, axis);
        const at::Tensor other = found.sampling_loc.select(-1, 1 - axis);
        EXPECT_TRUE(is_zero(found.value) && is_zero(along)) << location << " on axis " << axis;
        EXPECT_TRUE(zero ? is_zero(other) : is_nan(other)) << location << " on axis " << axis;
        EXPECT_TRUE(zero ? is_zero(found.attn_weight) : is_nan(found.attn_weight));
      }
    }
  }
}

TEST_P(EachBackward, KeepsItsContractOutside) {
  const bool ignored = subject_->info().contract.nonfinite_weight_outside == NonfiniteWeightOutside::kIgnored;
  // The device's grid_sampler skips corners outside the map, the CPU's multiplies them by 0.
  const bool no_slope = ignored || on_device();
  for (const std::int64_t queries : {1, 17}) {
    shape_.queries = queries;
    Inputs inputs = test_inputs(shape_);
    inputs.sampling_loc.fill_(2);
    const at::Tensor nan_output = test_grad_output(inputs).fill_(kNan);
    const Gradients of_output = run(inputs, nan_output);
    inputs.attn_weight.fill_(kNan);
    const Gradients of_weight = run(inputs, test_grad_output(inputs));
    EXPECT_TRUE(is_zero(of_output.value) && is_zero(of_weight.value) && is_zero(of_weight.attn_weight));
    EXPECT_TRUE(no_slope ? is_zero(of_weight.sampling_loc) : is_nan(of_weight.sampling_loc));
    EXPECT_TRUE(no_slope ? is_zero(of_output.sampling_loc) : is_nan(of_output.sampling_loc));
    EXPECT_TRUE(ignored ? is_zero(of_output.attn_weight) : is_nan(of_output.attn_weight));
  }
}

INSTANTIATE_TEST_SUITE_P(Builtin, EachBackward, every_subject(), name_of_subject);

TEST(BackwardOperator, GivesTheSameBitsWithAnyNumberOfThreads) {
  TestShape shape;
  shape.queries = 500;
  const Inputs inputs = test_inputs(shape);
  const at::Tensor grad_output = test_grad_output(inputs);
  at::set_num_threads(1);
  const Gradients alone = ms_deform_attn::backward_operator(inputs, grad_output);
  at::set_num_threads(3);
  EXPECT_TRUE(are_equal(ms_deform_attn::backward_operator(inputs, grad_output), alone));
}

TEST(BackwardOperator, TellsShapesWithoutData) {
  Inputs inputs = test_inputs({});
  const at::Tensor grad_output = test_grad_output(inputs).to(at::kMeta);
  for (at::Tensor* tensor : {&inputs.value, &inputs.spatial_shapes, &inputs.level_start_index,
                             &inputs.sampling_loc, &inputs.attn_weight}) {
    *tensor = tensor->to(at::kMeta);
  }
  const Gradients found = ms_deform_attn::backward_operator(inputs, grad_output);
  EXPECT_TRUE(found.value.is_meta());
  EXPECT_EQ(found.value.sizes(), inputs.value.sizes());
  EXPECT_EQ(found.sampling_loc.sizes(), inputs.sampling_loc.sizes());
  EXPECT_EQ(found.attn_weight.sizes(), inputs.attn_weight.sizes());
  EXPECT_THROW(ms_deform_attn::backward_operator(inputs, grad_output.narrow(1, 0, 2)), c10::Error);
}

/// The message of the error that an implementation throws for a changed problem; empty if it throws none.
std::string refusal(const std::function<void(Inputs&, at::Tensor&)>& change,
                    Gradients (*function)(const Inputs&, const at::Tensor&)) {
  Inputs inputs = test_inputs({});
  at::Tensor grad_output = test_grad_output(inputs);
  change(inputs, grad_output);
  try {
    function(inputs, grad_output);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

TEST(BackwardOperator, NamesTheArgumentThatIsWrong) {
  const std::vector<std::pair<std::string, std::function<void(Inputs&, at::Tensor&)>>> wrong = {
      {"grad_output has shape", [](Inputs&, at::Tensor& grad) { grad = grad.narrow(1, 0, 2); }},
      {"grad_output has shape",
       [](Inputs&, at::Tensor& grad) {
         grad = grad.unflatten(2, {3, 5});
       }},
      {"grad_output is Float", [](Inputs&, at::Tensor& grad) { grad = grad.to(at::kFloat); }},
      {"grad_output is on meta", [](Inputs&, at::Tensor& grad) { grad = grad.to(at::kMeta); }},
      {"sampling_loc has shape",
       [](Inputs& i, at::Tensor&) { i.sampling_loc = i.sampling_loc.narrow(5, 0, 1); }},
      {"level_start_index: level 1", [](Inputs& i, at::Tensor&) { i.level_start_index[1] = 36; }},
  };
  for (const auto& function : {ms_deform_attn::backward_cpu, ms_deform_attn::backward_cuda_emulated}) {
    for (const auto& [message, change] : wrong) {
      EXPECT_NE(refusal(change, function).find(message), std::string::npos)
          << message << " wanted, found: " << refusal(change, function);
    }
  }
}

}  // namespace
}  // namespace deformdiff::worker
