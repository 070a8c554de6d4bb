#include "subjects/function_subject.h"

#include <utility>

#include <c10/util/Exception.h>

namespace deformdiff::worker {
namespace {

class MsDeformAttnSubject : public Subject {
 public:
  MsDeformAttnSubject(SubjectInfo info, MsDeformAttnFunction function)
      : info_(std::move(info)), function_(std::move(function)) {}

  SubjectInfo info() const override { return info_; }

  std::vector<at::Tensor> run(const Call& call) override {
    return {function_({call.input("value"), call.input("spatial_shapes"), call.input("level_start_index"),
                       call.input("sampling_loc"), call.input("attn_weight"), call.integer("im2col_step")})};
  }

 private:
  SubjectInfo info_;
  MsDeformAttnFunction function_;
};

SubjectInfo common_info(std::string name) {
  SubjectInfo info;
  info.name = std::move(name);
  info.device = "cpu";
  info.blocks = {"ms_deform_attn"};
  info.dtypes = {DType::kFloat32, DType::kFloat64};
  info.contract.deterministic = Deterministic::kYes;
  info.contract.level_start_index = LevelStartIndex::kHonoured;
  return info;
}

}  // namespace

std::unique_ptr<Subject> make_ms_deform_attn_subject(SubjectInfo info, MsDeformAttnFunction function) {
  return std::make_unique<MsDeformAttnSubject>(std::move(info), std::move(function));
}

SubjectInfo fused_info(std::string name) {
  SubjectInfo info = common_info(std::move(name));
  info.precision.coordinates = Coordinates::kFused;
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
