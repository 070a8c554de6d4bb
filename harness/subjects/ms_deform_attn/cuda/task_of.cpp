#include "subjects/ms_deform_attn/cuda/task_of.h"

#include <limits>

#include <ATen/Context.h>
#include <ATen/ops/zeros.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

Element element_of(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return Element::kFloat64;
    case at::kFloat:
      return Element::kFloat32;
    case at::kHalf:
      return Element::kFloat16;
    default:
      return Element::kBFloat16;
  }
}

void check_count(std::int64_t count, const char* of_what) {
  TORCH_CHECK_VALUE(count <= std::numeric_limits<std::int32_t>::max(), "ms_deform_attn: ", count, " ",
                    of_what, "; below 2^31 wanted");
}

Task task(const Inputs& inputs) {
  return {element_of(inputs.value.scalar_type()),
          element_of(inputs.sampling_loc.scalar_type()),
          inputs.value.size(0),
          inputs.value.size(1),
          inputs.value.size(2),
          inputs.value.size(3),
          inputs.sampling_loc.size(1),
          inputs.sampling_loc.size(3),
          inputs.sampling_loc.size(4),
          inputs.spatial_shapes.const_data_ptr<std::int64_t>(),
          inputs.level_start_index.const_data_ptr<std::int64_t>(),
          inputs.value.const_data_ptr(),
          inputs.sampling_loc.const_data_ptr(),
          inputs.attn_weight.const_data_ptr()};
}

}  // namespace

Inputs for_kernels(const Inputs& inputs) {
  check_count(inputs.value.size(2) * inputs.value.size(3), "channels of all heads");
  check_count(inputs.sampling_loc.size(3) * inputs.sampling_loc.size(4), "points of all levels");
  return as_kernels_read(inputs);
}

Gradients gradients_for_kernels(const Inputs& inputs) {
  const at::ScalarType wide = compute_type(inputs.value.scalar_type());
  Gradients gradients = new_gradients(inputs);
  gradients.value = at::zeros(inputs.value.sizes(), inputs.value.options().dtype(wide));
  return gradients;
}

ForwardTask forward_task(const Inputs& inputs, const at::Tensor& output) {
  return {task(inputs), output.mutable_data_ptr()};
}

BackwardTask backward_task(const Inputs& inputs, const at::Tensor& grad_output, const Gradients& gradients) {
  return {task(inputs),
          grad_output.const_data_ptr(),
          gradients.value.mutable_data_ptr(),
          gradients.sampling_loc.mutable_data_ptr(),
          gradients.attn_weight.mutable_data_ptr(),
          at::globalContext().deterministicAlgorithms()};
}

}  // namespace deformdiff::worker::ms_deform_attn
