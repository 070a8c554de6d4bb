#include "emulation/buffers.h"
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/cuda/emulated_kernels.h"
#include "subjects/ms_deform_attn/cuda/task_of.h"
#include "subjects/ms_deform_attn/forward.h"

#include <utility>
#include <vector>

#include <ATen/ops/empty.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

emulation::Buffer buffer(const at::Tensor& tensor, const char* name) {
  return {tensor.const_data_ptr(), tensor.nbytes(), name};
}

emulation::Buffer input(const at::Tensor& tensor, const char* name) {
  return {tensor.const_data_ptr(), tensor.nbytes(), name, /*read_only=*/true};
}

/// What a kernel may touch, and nothing else: contiguous inputs, and whatever more it is given.
emulation::BufferScope buffers(const Inputs& inputs, std::vector<emulation::Buffer> more) {
  more.push_back(input(inputs.value, "value"));
  more.push_back(input(inputs.spatial_shapes, "spatial_shapes"));
  more.push_back(input(inputs.level_start_index, "level_start_index"));
  more.push_back(input(inputs.sampling_loc, "sampling_loc"));
  more.push_back(input(inputs.attn_weight, "attn_weight"));
  return emulation::BufferScope(std::move(more));
}

}  // namespace

at::Tensor forward_cuda_emulated(const Inputs& inputs) {
  check_structure(inputs);
  check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const Inputs dense = for_kernels(inputs);
  const at::Tensor output = at::empty(output_shape(inputs), inputs.value.options());
  const auto scope = buffers(dense, {buffer(output, "output")});
  run_emulated(forward_task(dense, output));
  return output;
}

Gradients backward_cuda_emulated(const Inputs& inputs, const at::Tensor& grad_output) {
  check_structure(inputs);
  check_grad_output(inputs, grad_output);
  check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const Inputs dense = for_kernels(inputs);
  const at::Tensor dense_grad = grad_output.contiguous();
  const Gradients gradients = gradients_for_kernels(dense);
  const auto scope = buffers(dense, {input(dense_grad, "grad_output"), buffer(gradients.value, "grad_value"),
                                     buffer(gradients.sampling_loc, "grad_sampling_loc"),
                                     buffer(gradients.attn_weight, "grad_attn_weight")});
  run_emulated(backward_task(dense, dense_grad, gradients));
  return in_type_of(inputs, gradients);
}

}  // namespace deformdiff::worker::ms_deform_attn
