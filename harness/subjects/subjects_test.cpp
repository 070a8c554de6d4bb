// Each implementation against closed forms and its own contract, and the operator's registration.
#include "subjects/subjects.h"

#include "subjects/every_subject_test.h"
#include "subjects/ms_deform_attn/composite.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/test_inputs.h"
#include "subjects/tracing/module_process.h"

#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <tuple>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Inputs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double tolerance(at::ScalarType dtype) {
  return dtype == at::kFloat ? 2e-5 : 1e-13;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() == 0 ? 0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

class EachSubject : public testing::TestWithParam<std::tuple<std::string, at::ScalarType>> {
 protected:
  EachSubject() {
    for (auto& subject : builtin_subjects()) {
      if (subject->info().name == std::get<0>(GetParam())) subject_ = std::move(subject);
    }
    shape_.dtype = std::get<1>(GetParam());
  }

  void SetUp() override {
    ASSERT_NE(subject_, nullptr);
    if (const std::string reason = subject_->info().not_run; !reason.empty()) GTEST_SKIP() << reason;
  }

  at::Tensor run(Inputs inputs) {
    if (subject_->info().device == "cpu") return run_subject(*subject_, inputs);
    subject_->prepare();
    for (at::Tensor* tensor : {&inputs.value, &inputs.spatial_shapes, &inputs.level_start_index,
                               &inputs.sampling_loc, &inputs.attn_weight}) {
      *tensor = tensor->to(at::kCUDA);
    }
    return run_subject(*subject_, inputs).cpu();
  }

  double tolerance() const { return worker::tolerance(shape_.dtype); }

  std::unique_ptr<Subject> subject_;
  TestShape shape_;
};

/// value = 3x - 2y + channel: interpolated exactly wherever all four corners are inside.
void fill_with_ramp(Inputs& inputs) {
  for (std::int64_t l = 0; l < inputs.spatial_shapes.size(0); ++l) {
    const auto height = inputs.spatial_shapes[l][0].item<std::int64_t>();
    const auto width = inputs.spatial_shapes[l][1].item<std::int64_t>();
    const auto start = inputs.level_start_index[l].item<std::int64_t>();
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x)
        inputs.value.select(1, start + y * width + x).fill_(3 * x - 2 * y);
    }
  }
  for (std::int64_t c = 0; c < inputs.value.size(3); ++c) inputs.value.select(3, c).add_(c);
}

TEST_P(EachSubject, InterpolatesARampExactly) {
  Inputs inputs = test_inputs(shape_);
  fill_with_ramp(inputs);
  // Between the first and the last pixel's centre on both levels.
  inputs.sampling_loc = random_tensor(inputs.sampling_loc.sizes(), shape_.dtype, 5, 0.2, 0.8);
  const at::Tensor loc = inputs.sampling_loc.to(at::kDouble), weights = inputs.attn_weight.to(at::kDouble);
  const at::Tensor width = inputs.spatial_shapes.select(1, 1).view({1, 1, 1, -1, 1});
  const at::Tensor height = inputs.spatial_shapes.select(1, 0).view({1, 1, 1, -1, 1});
  const at::Tensor x = loc.select(-1, 0) * width - 0.5, y = loc.select(-1, 1) * height - 0.5;
  const at::Tensor ramp = (weights * (3 * x - 2 * y)).sum({3, 4}), total = weights.sum({3, 4});
  const at::Tensor output = run(inputs).view({shape_.batch, shape_.queries, shape_.heads, shape_.channels});
  for (std::int64_t c = 0; c < shape_.channels; ++c) {
    EXPECT_LT(largest_difference(output.select(3, c), ramp + c * total), 10 * tolerance()) << "channel " << c;
  }
}

TEST_P(EachSubject, ReadsOnePixelAtItsCentreAndNothingBesideIt) {
  shape_.levels = {{4, 8}};
  shape_.queries = 1;
  shape_.points = 1;
  Inputs inputs = test_inputs(shape_);
  inputs.value.zero_();
  inputs.value.select(1, 2 * 8 + 5).fill_(7);
  inputs.attn_weight.fill_(0.5);
  inputs.sampling_loc.select(-1, 0).fill_(5.5 / 8);
  inputs.sampling_loc.select(-1, 1).fill_(2.5 / 4);
  EXPECT_TRUE(run(inputs).eq(3.5).all().item<bool>());
  inputs.sampling_loc.select(-1, 0).fill_(6.5 / 8);
  EXPECT_TRUE(run(inputs).eq(0).all().item<bool>());
}

TEST_P(EachSubject, FadesOutOverThePixelBeyondTheBorder) {
  shape_.levels = {{4, 8}};
  Inputs inputs = test_inputs(shape_);
  inputs.value.fill_(1);
  inputs.attn_weight.fill_(1.0 / static_cast<double>(shape_.points));
  inputs.sampling_loc.select(-1, 1).fill_(0.5);
  for (const auto& [location, wanted] : {std::pair{0.0, 0.5},
                                         {1.0, 0.5},
                                         {-0.25 / 8, 0.25},
                                         {8.25 / 8, 0.25},
                                         {-0.5 / 8, 0.0},
                                         {8.5 / 8, 0.0},
                                         {-3.0, 0.0},
                                         {4.0, 0.0}}) {
    inputs.sampling_loc.select(-1, 0).fill_(location);
    EXPECT_TRUE(run(inputs).eq(wanted).all().item<bool>()) << "x at " << location;
  }
}

TEST_P(EachSubject, HonoursLevelStartIndex) {
  const Inputs consecutive = test_inputs(shape_);
  Inputs permuted = consecutive;
  const std::int64_t first = 5 * 7, second = 3 * 4, gap = 2;
  permuted.value =
      at::empty({shape_.batch, first + second + gap, shape_.heads, shape_.channels}, shape_.dtype);
  permuted.value.fill_(kNan);
  permuted.value.narrow(1, 0, second).copy_(consecutive.value.narrow(1, first, second));
  permuted.value.narrow(1, second + gap, first).copy_(consecutive.value.narrow(1, 0, first));
  permuted.level_start_index = consecutive.level_start_index.clone();
  permuted.level_start_index[0] = second + gap;
  permuted.level_start_index[1] = 0;
  EXPECT_TRUE(at::equal(run(permuted), run(consecutive)));
}

TEST_P(EachSubject, TakesStridedInputs) {
  const Inputs dense = test_inputs(shape_);
  Inputs strided = dense;
  strided.value = dense.value.transpose(1, 3).contiguous().transpose(1, 3);
  strided.sampling_loc =
      dense.sampling_loc.flip(1).contiguous().flip(1).transpose(0, 5).contiguous().transpose(0, 5);
  strided.attn_weight = dense.attn_weight.permute({4, 2, 0, 3, 1}).contiguous().permute({2, 4, 1, 3, 0});
  strided.spatial_shapes = dense.spatial_shapes.t().contiguous().t();
  ASSERT_FALSE(strided.value.is_contiguous());
  ASSERT_FALSE(strided.sampling_loc.is_contiguous());
  ASSERT_FALSE(strided.attn_weight.is_contiguous());
  EXPECT_TRUE(at::equal(run(strided), run(dense)));
}

TEST_P(EachSubject, ReturnsZerosWhereThereIsNothingToSum) {
  for (int empty = 0; empty < 6; ++empty) {
    TestShape shape = shape_;
    if (empty == 0) shape.batch = 0;
    if (empty == 1) shape.heads = 0;
    if (empty == 2) shape.channels = 0;
    if (empty == 3) shape.queries = 0;
    if (empty == 4) shape.points = 0;
    if (empty == 5) shape.levels = {};
    const Inputs inputs = test_inputs(shape);
    const at::Tensor output = run(inputs);
    EXPECT_EQ(output.sizes().vec(), output_shape(inputs)) << "extent " << empty;
    EXPECT_EQ(output.scalar_type(), shape.dtype);
    EXPECT_TRUE(output.eq(0).all().item<bool>()) << "extent " << empty;
  }
}

TEST_P(EachSubject, KeepsItsContractForLocations) {
  const bool zero = subject_->info().contract.nonfinite_location == NonfiniteLocation::kZero;
  // Many sizes: vectorised code has other paths for the elements that are left over.
  for (const std::int64_t queries : {1, 3, 8, 17}) {
    shape_.queries = queries;
    for (const double location : {kNan, kInf, -kInf}) {
      for (const std::int64_t axis : {0, 1}) {
        Inputs inputs = test_inputs(shape_);
        inputs.sampling_loc.select(-1, axis).fill_(location);
        if (zero) inputs.attn_weight.fill_(kNan);
        const at::Tensor output = run(inputs);
        EXPECT_TRUE((zero ? output.eq(0) : output.isnan()).all().item<bool>())
            << location << " on axis " << axis;
      }
    }
  }
}

TEST_P(EachSubject, KeepsItsContractForWeightsAndValues) {
  const Contract contract = subject_->info().contract;
  Inputs outside = test_inputs(shape_);
  outside.sampling_loc.fill_(2);
  outside.attn_weight.fill_(kNan);
  const bool ignored = contract.nonfinite_weight_outside == NonfiniteWeightOutside::kIgnored;
  EXPECT_TRUE((ignored ? run(outside).eq(0) : run(outside).isnan()).all().item<bool>());

  ASSERT_EQ(contract.nonfinite_value_at_zero_weight, NonfiniteValueAtZeroWeight::kPropagates);
  shape_.levels = {{4, 8}};
  Inputs centre = test_inputs(shape_);  // on a pixel's centre: its right neighbour has weight 0
  centre.sampling_loc.fill_(0.5 / 4);
  centre.sampling_loc.select(-1, 0).fill_(2.5 / 8);
  centre.value.select(1, 3).fill_(kInf);
  EXPECT_TRUE(run(centre).isnan().all().item<bool>());
}

TEST_P(EachSubject, AgreesWithThePlainFormulaForAnyNumberOfChannels) {
  const bool traced = subject_->info().name.starts_with("traced");
  for (std::int64_t channels = 1; channels <= (traced ? 3 : 70); ++channels) {
    shape_.channels = channels;
    const Inputs inputs = test_inputs(shape_, static_cast<std::uint64_t>(channels));
    const at::Tensor wanted = forward_cuda_emulated(inputs);
    EXPECT_LT(largest_difference(run(inputs), wanted), tolerance()) << channels << " channels";
  }
}

INSTANTIATE_TEST_SUITE_P(Builtin, EachSubject, every_subject(), name_of_subject);

TEST(CpuKernel, StaysInsideAMapWhoseWidthFloat32DoesNotHold) {
  TestShape shape;
  shape.levels = {{1, (1 << 24) + 3}};
  shape.batch = shape.heads = shape.channels = shape.queries = shape.points = 1;
  shape.dtype = at::kFloat;
  Inputs inputs = test_inputs(shape);
  inputs.value = at::empty({1, (1 << 24) + 4, 1, 1}, at::kFloat).fill_(1);
  inputs.value.select(1, (1 << 24) + 3).fill_(kNan);  // beyond the map
  inputs.sampling_loc.fill_(0.5);
  inputs.sampling_loc.select(-1, 0).fill_(1 - 0x1p-24);
  inputs.attn_weight.fill_(1);
  EXPECT_EQ(forward_operator(inputs).item<double>(), 1);
}

TEST(Operator, GivesTheSameBitsWithAnyNumberOfThreads) {
  TestShape shape;
  shape.queries = 500;
  const Inputs inputs = test_inputs(shape);
  at::set_num_threads(1);
  const at::Tensor alone = forward_operator(inputs);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(forward_operator(inputs), alone));
}

TEST(Operator, TellsShapesWithoutData) {
  Inputs inputs = test_inputs({});
  for (at::Tensor* tensor : {&inputs.value, &inputs.spatial_shapes, &inputs.level_start_index,
                             &inputs.sampling_loc, &inputs.attn_weight}) {
    *tensor = tensor->to(at::kMeta);
  }
  const at::Tensor output = forward_operator(inputs);
  EXPECT_TRUE(output.is_meta());
  EXPECT_EQ(output.sizes().vec(), (std::vector<std::int64_t>{2, 6, 15}));
  EXPECT_EQ(output.scalar_type(), at::kDouble);
  inputs.attn_weight = inputs.attn_weight.narrow(0, 0, 1);
  EXPECT_THROW(forward_operator(inputs), c10::Error);
}

/// The message of the error that the operator throws for changed inputs; empty if it throws none.
std::string refusal(const std::function<void(Inputs&)>& change) {
  Inputs inputs = test_inputs({});
  change(inputs);
  try {
    forward_operator(inputs);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

TEST(Operator, NamesTheArgumentThatIsWrong) {
  const std::vector<std::pair<std::string, std::function<void(Inputs&)>>> wrong = {
      {"value has shape", [](Inputs& i) { i.value = i.value.flatten(2); }},
      {"value is Long", [](Inputs& i) { i.value = i.value.to(at::kLong); }},
      {"sampling_loc has shape", [](Inputs& i) { i.sampling_loc = i.sampling_loc.narrow(5, 0, 1); }},
      {"sampling_loc has shape", [](Inputs& i) { i.sampling_loc = i.sampling_loc.flatten(4); }},
      {"sampling_loc is Float", [](Inputs& i) { i.sampling_loc = i.sampling_loc.to(at::kFloat); }},
      {"attn_weight has shape", [](Inputs& i) { i.attn_weight = i.attn_weight.narrow(1, 0, 2); }},
      {"attn_weight is Float", [](Inputs& i) { i.attn_weight = i.attn_weight.to(at::kFloat); }},
      {"spatial_shapes is Int", [](Inputs& i) { i.spatial_shapes = i.spatial_shapes.to(at::kInt); }},
      {"spatial_shapes has shape", [](Inputs& i) { i.spatial_shapes = i.spatial_shapes.narrow(1, 0, 1); }},
      {"spatial_shapes: level 1 is 0 x 4", [](Inputs& i) { i.spatial_shapes[1][0] = 0; }},
      {"level_start_index has shape",
       [](Inputs& i) { i.level_start_index = i.level_start_index.narrow(0, 0, 1); }},
      {"level_start_index: level 1", [](Inputs& i) { i.level_start_index[1] = 36; }},
      {"level_start_index: level 0", [](Inputs& i) { i.level_start_index[0] = -1; }},
      {"im2col_step is 0", [](Inputs& i) { i.im2col_step = 0; }},
  };
  for (const auto& [message, change] : wrong) {
    EXPECT_NE(refusal(change).find(message), std::string::npos)
        << message << " wanted, found: " << refusal(change);
  }
}

TEST(Operator, ComputesSixteenBitsInFloat32AndRoundsOnce) {
  for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
    Inputs inputs = test_inputs({}), wide = inputs;
    const auto convert = [&](at::Tensor Inputs::*tensor) {
      inputs.*tensor = (inputs.*tensor).to(dtype);
      wide.*tensor = (inputs.*tensor).to(at::kFloat);
    };
    convert(&Inputs::value);
    convert(&Inputs::sampling_loc);
    convert(&Inputs::attn_weight);
    EXPECT_TRUE(at::equal(forward_operator(inputs), forward_operator(wide).to(dtype)));
    EXPECT_TRUE(at::equal(forward_cuda_emulated(inputs), forward_cuda_emulated(wide).to(dtype)));
    EXPECT_TRUE(at::equal(forward_composite(inputs), forward_composite(wide).to(dtype)));
    inputs.value = inputs.value.to(at::kFloat8_e5m2);
    EXPECT_THROW(forward_operator(inputs), c10::NotImplementedError);
  }
}

TEST(Cuda, IsAlwaysListed) {
  int listed = 0;
  for (const auto& subject : builtin_subjects()) listed += subject->info().device == "cuda";
  EXPECT_EQ(listed, 2);
}

TEST(SavedModules, AreLoadedInAnotherProcessThatOutlivesAModuleItCannotLoad) {
  EXPECT_THROW(run_in_other_process("no module", {}), c10::Error);
  const at::Tensor x = at::ones({2, 3}, at::kDouble);
  const auto traced_function = [](std::vector<c10::IValue> inputs) -> std::vector<c10::IValue> {
    return {c10::ivalue::Tuple::create({inputs[0].toTensor() + 1})};
  };
  torch::jit::Module module("Sum");
  const auto no_names = [](const at::Tensor&) { return std::string(); };
  auto [state, outputs] = torch::jit::tracer::trace({x}, traced_function, no_names, true, false, &module);
  module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*module.type()->name(), "forward"), state->graph));
  std::ostringstream file;
  module.save(file);
  const c10::IValue result = run_in_other_process(file.str(), {x});
  EXPECT_TRUE(at::equal(result.toTupleRef().elements()[0].toTensor(), x + 1));
}

}  // namespace
}  // namespace deformdiff::worker
