#include "subjects/function_subject.h"

#include "subjects/gradients.h"
#include "subjects/libtorch_figures.h"
#include "subjects/mask2former/blocks.h"

#include <set>
#include <utility>

#include <c10/util/Exception.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Gradients;
using ms_deform_attn::Inputs;

constexpr const char* kOperator = "ms_deform_attn";
constexpr const char* kBackward = "ms_deform_attn_backward";

class FunctionSubject : public Subject {
 public:
  FunctionSubject(SubjectInfo info, BlockFunction function)
      : info_(std::move(info)), function_(std::move(function)) {}

  SubjectInfo info() const override { return info_; }

  std::vector<at::Tensor> run(const Call& call) override {
    TORCH_CHECK_NOT_IMPLEMENTED(info_.blocks.contains(call.block), info_.name, " does not do block ",
                                call.block);
    return function_(call);
  }

 private:
  SubjectInfo info_;
  BlockFunction function_;
};

Inputs operator_inputs(const Call& call) {
  return {call.input("value"),        call.input("spatial_shapes"), call.input("level_start_index"),
          call.input("sampling_loc"), call.input("attn_weight"),    call.integer("im2col_step")};
}

std::vector<at::Tensor> run_backward(const Call& call, const MsDeformAttnBackward& function) {
  auto [value, sampling_loc, attn_weight] = function(operator_inputs(call), call.input("grad_output"));
  return {std::move(value), std::move(sampling_loc), std::move(attn_weight)};
}

MsDeformAttnBackward by_autograd(MsDeformAttnFunction function) {
  return [function = std::move(function)](const Inputs& inputs, const at::Tensor& grad_output) -> Gradients {
    const auto forward = [&](const std::vector<at::Tensor>& i) {
      return function({i[0], i[1], i[2], i[3], i[4], inputs.im2col_step});
    };
    std::vector<at::Tensor> found = gradients(forward,
                                              {inputs.value, inputs.spatial_shapes, inputs.level_start_index,
                                               inputs.sampling_loc, inputs.attn_weight},
                                              grad_output);
    return {std::move(found[0]), std::move(found[1]), std::move(found[2])};
  };
}

/// How LibTorch's CPU kernels compute. function_ulps_test measures it.
Precision libtorch_cpu() {
  Precision precision;
  // RowwiseMoments: Welford's and Chan's updates. Group norms whose channels lie last in memory take
  // mean(x^2) - mean^2 instead, which group_norm of our models never lets them.
  precision.variance = Variance::kCentred;
  precision.ulps = kLibTorchUlps;
  return precision;
}

SubjectInfo common_info(std::string name) {
  SubjectInfo info;
  info.name = std::move(name);
  info.device = "cpu";
  info.blocks = {kOperator};
  info.mixed_dtypes = {DType::kFloat16, DType::kBFloat16};
  info.precision = libtorch_cpu();
  info.calls = Concurrency::kOneAtATime;
  info.contract.deterministic = Deterministic::kYes;
  info.contract.level_start_index = LevelStartIndex::kHonoured;
  return info;
}

}  // namespace

std::unique_ptr<Subject> make_ms_deform_attn_subject(SubjectInfo info, MsDeformAttnFunction function) {
  return make_block_subject(std::move(info),
                            [function = std::move(function)](const Call& call) -> std::vector<at::Tensor> {
                              return {function(operator_inputs(call))};
                            });
}

BlockFunction every_block(MsDeformAttnFunction function) {
  MsDeformAttnBackward backward = by_autograd(function);
  return every_block(std::move(function), std::move(backward));
}

BlockFunction every_block(MsDeformAttnFunction function, MsDeformAttnBackward backward) {
  return [function = std::move(function),
          backward = std::move(backward)](const Call& call) -> std::vector<at::Tensor> {
    if (call.block == kOperator) return {function(operator_inputs(call))};
    if (call.block == kBackward) return run_backward(call, backward);
    return mask2former::run_block(call, function);
  };
}

std::unique_ptr<Subject> make_block_subject(SubjectInfo info, BlockFunction function) {
  return std::make_unique<FunctionSubject>(std::move(info), std::move(function));
}

SubjectInfo of_every_block(SubjectInfo info) {
  info.blocks = mask2former::block_names();
  info.blocks.merge(std::set<std::string>{kOperator, kBackward});
  return info;
}

SubjectInfo fused_info(std::string name) {
  SubjectInfo info = common_info(std::move(name));
  info.precision.coordinates = Coordinates::kFused;
  info.contract.edge_gradient = EdgeGradient::kZero;
  info.contract.nonfinite_location = NonfiniteLocation::kZero;
  info.contract.nonfinite_weight_outside = NonfiniteWeightOutside::kIgnored;
  // A corner inside the map is multiplied even where its bilinear or attention weight is 0.
  info.contract.nonfinite_value_at_zero_weight = NonfiniteValueAtZeroWeight::kPropagates;
  return info;
}

SubjectInfo composite_info(std::string name) {
  SubjectInfo info = common_info(std::move(name));
  info.precision.coordinates = Coordinates::kGridSample;
  // The vectorised grid_sampler multiplies masked corners by weights that are NaN.
  info.contract.nonfinite_location = NonfiniteLocation::kNan;
  info.contract.nonfinite_weight_outside = NonfiniteWeightOutside::kPropagates;
  info.contract.nonfinite_value_at_zero_weight = NonfiniteValueAtZeroWeight::kPropagates;
  return info;
}

}  // namespace deformdiff::worker
