#include "subjects/cuda/subjects.h"

#include "subjects/cuda/device.h"
#include "subjects/function_subject.h"
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/composite.h"
#include "subjects/ms_deform_attn/forward.h"

#include <utility>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::backward_operator;
using ms_deform_attn::forward_composite;
using ms_deform_attn::forward_operator;

#if defined(DEFORMDIFF_HAS_CUDA)
constexpr bool kBuiltWithCuda = true;
#else
constexpr bool kBuiltWithCuda = false;
#endif

/// Loads its library before its first inputs, so that a worker that never uses the device stays small.
class CudaSubject : public Subject {
 public:
  CudaSubject(const SubjectInfo& info, BlockFunction function, const char* library)
      : subject_(make_block_subject(of_every_block(info), std::move(function))), library_(library) {}

  SubjectInfo info() const override { return subject_->info(); }
  void prepare() override { load_library(library_); }
  std::vector<at::Tensor> run(const Call& call) override { return subject_->run(call); }

 private:
  std::unique_ptr<Subject> subject_;
  const char* library_;
};

SubjectInfo on_cuda(SubjectInfo info) {
  info.device = "cuda";
  // What LibTorch's CPU kernels were measured to do says nothing here.
  // Atomic additions of float32 in global memory flush what is subnormal (RED.E.ADD.F32.FTZ).
  info.precision = {.coordinates = info.precision.coordinates, .flush_to_zero = true};
  // Threads add up the gradient of value in any order.
  info.contract.deterministic_outputs["grad_value"] = Deterministic::kNo;
  info.not_run = why_no_cuda_device();
  return info;
}

}  // namespace

std::unique_ptr<Subject> cuda_subject() {
  SubjectInfo info = on_cuda(fused_info("cuda"));
  if (!kBuiltWithCuda) info.not_run = "built without CUDA";
  return std::make_unique<CudaSubject>(info, every_block(forward_operator, backward_operator),
                                       "libdeformdiff_cuda.so");
}

std::unique_ptr<Subject> composite_cuda_subject() {
  SubjectInfo info = on_cuda(composite_info("composite_cuda"));
  // The device's grid_sampler takes what is not finite for a coordinate outside the map.
  info.contract.nonfinite_location = NonfiniteLocation::kZero;
  return std::make_unique<CudaSubject>(info, every_block(forward_composite), "libtorch_cuda.so");
}

}  // namespace deformdiff::worker
