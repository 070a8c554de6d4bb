#include "subjects/ms_deform_attn/cpu_call.h"

#include <ATen/Parallel.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

cpu::ElementType element_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return cpu::ElementType::kFloat64;
    case at::kHalf:
      return cpu::ElementType::kFloat16;
    case at::kBFloat16:
      return cpu::ElementType::kBFloat16;
    default:
      TORCH_INTERNAL_ASSERT(dtype == at::kFloat);
      return cpu::ElementType::kFloat32;
  }
}

}  // namespace

cpu::Problem problem_of(const Inputs& dense) {
  return {dense.value.size(0),
          dense.value.size(1),
          dense.value.size(2),
          dense.value.size(3),
          dense.sampling_loc.size(1),
          dense.sampling_loc.size(3),
          dense.sampling_loc.size(4),
          dense.spatial_shapes.const_data_ptr<std::int64_t>(),
          dense.level_start_index.const_data_ptr<std::int64_t>(),
          element_type(dense.value.scalar_type()),
          element_type(dense.sampling_loc.scalar_type()),
          dense.value.const_data_ptr(),
          dense.sampling_loc.const_data_ptr(),
          dense.attn_weight.const_data_ptr()};
}

cpu::Threads libtorch_threads() {
  return {at::in_parallel_region() ? 1 : at::get_num_threads(),
          [](std::int64_t count, std::int64_t grain, const cpu::Work& work) {
            at::parallel_for(0, count, grain, work);
          }};
}

}  // namespace deformdiff::worker::ms_deform_attn
