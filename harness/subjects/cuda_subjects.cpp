#include "subjects/cuda_subjects.h"

#include "subjects/cuda_device.h"
#include "subjects/function_subject.h"
#include "subjects/ms_deform_attn/composite.h"
#include "subjects/ms_deform_attn/forward.h"

#include <ATen/ops/empty.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Inputs;

#if defined(DEFORMDIFF_HAS_CUDA)
constexpr bool kBuiltWithCuda = true;
#else
constexpr bool kBuiltWithCuda = false;
#endif

/// On the current device, with the same strides and offset in storage of the same size.
at::Tensor to_device(const at::Tensor& tensor) {
  const auto elements = static_cast<std::int64_t>(tensor.storage().nbytes() / tensor.element_size());
  const at::Tensor storage = tensor.as_strided({elements}, {1}, 0).to(at::kCUDA);
  return storage.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset());
}

Inputs to_device(const Inputs& inputs) {
  return {
      to_device(inputs.value),        to_device(inputs.spatial_shapes), to_device(inputs.level_start_index),
      to_device(inputs.sampling_loc), to_device(inputs.attn_weight),    inputs.im2col_step};
}

MsDeformAttnFunction on_device(MsDeformAttnFunction function, const char* library) {
  return [function = std::move(function), library](const Inputs& inputs) {
    load_library(library);
    return function(to_device(inputs)).cpu();
  };
}

SubjectInfo on_cuda(SubjectInfo info) {
  info.device = "cuda";
  info.not_run = why_no_cuda_device();
  return info;
}

}  // namespace

std::unique_ptr<Subject> cuda_subject() {
  SubjectInfo info = on_cuda(fused_info("cuda"));
  if (!kBuiltWithCuda) info.not_run = "built without CUDA";
  return make_ms_deform_attn_subject(info,
                                     on_device(ms_deform_attn::forward_operator, "libdeformdiff_cuda.so"));
}

std::unique_ptr<Subject> composite_cuda_subject() {
  SubjectInfo info = on_cuda(composite_info("composite_cuda"));
  // The device's grid_sampler clamps what is not finite to a coordinate outside the map.
  info.contract.nonfinite_location = NonfiniteLocation::kAny;
  return make_ms_deform_attn_subject(info, on_device(ms_deform_attn::forward_composite, "libtorch_cuda.so"));
}

}  // namespace deformdiff::worker
