#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/cuda/kernel_emulated.h"
#include "subjects/ms_deform_attn/forward.h"

#include <ATen/ops/empty.h>

namespace deformdiff::worker::ms_deform_attn {

at::Tensor forward_cuda_emulated(const Inputs& inputs) {
  check_structure(inputs);
  check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const Inputs dense = contiguous(inputs);
  const at::Tensor output = at::empty(output_shape(inputs), inputs.value.options());
  with_element_type(output.scalar_type(),
                    [&]<typename T>(T) { run_emulated(arguments_of<T>(dense, output)); });
  return output;
}

Gradients backward_cuda_emulated(const Inputs& inputs, const at::Tensor& grad_output) {
  check_structure(inputs);
  check_grad_output(inputs, grad_output);
  check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const Inputs dense = contiguous(inputs);
  const at::Tensor dense_grad = grad_output.contiguous();
  Gradients gradients = new_gradients(inputs);
  with_element_type(inputs.value.scalar_type(),
                    [&]<typename T>(T) { run_emulated(arguments_of<T>(dense, dense_grad, gradients)); });
  return gradients;
}

}  // namespace deformdiff::worker::ms_deform_attn
