// The CUDA kernels of deformdiff::ms_deform_attn_forward and _backward: libdeformdiff_cuda.so, which
// registers them when it is loaded.
#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/ms_deform_attn/cuda/kernels.h"
#include "subjects/ms_deform_attn/cuda/task_of.h"

#include <tuple>

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

void check_launch(int status, const char* what) {
  TORCH_CHECK(status == cudaSuccess, "ms_deform_attn: the ", what,
              " cannot be launched: ", cudaGetErrorString(static_cast<cudaError_t>(status)));
}

/// As the kernels want them, all on the device of value. spatial_shapes and level_start_index may be on the
/// host or on the device: their levels are checked on the host, which waits for them if they are on the
/// device.
Inputs checked(const Inputs& inputs) {
  check_levels(inputs.spatial_shapes.cpu(), inputs.level_start_index.cpu(), inputs.value.size(1));
  Inputs dense = for_kernels(inputs);
  dense.spatial_shapes = dense.spatial_shapes.to(inputs.value.device());
  dense.level_start_index = dense.level_start_index.to(inputs.value.device());
  return dense;
}

at::Tensor forward(const at::Tensor& value, const at::Tensor& spatial_shapes,
                   const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                   const at::Tensor& attn_weight, std::int64_t im2col_step) {
  const Inputs inputs{value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step};
  check_structure(inputs);
  const c10::cuda::CUDAGuard guard(value.device());
  const Inputs dense = checked(inputs);
  const at::Tensor output = at::empty(output_shape(inputs), value.options());
  check_launch(launch_forward_on_device(forward_task(dense, output), c10::cuda::getCurrentCUDAStream()),
               "kernel");
  return output;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(
    const at::Tensor& value, const at::Tensor& spatial_shapes, const at::Tensor& level_start_index,
    const at::Tensor& sampling_loc, const at::Tensor& attn_weight, const at::Tensor& grad_output,
    std::int64_t im2col_step) {
  const Inputs inputs{value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step};
  check_structure(inputs);
  check_grad_output(inputs, grad_output);
  const c10::cuda::CUDAGuard guard(value.device());
  const Inputs dense = checked(inputs);
  const at::Tensor dense_grad = grad_output.contiguous();
  const Gradients gradients = gradients_for_kernels(dense);
  check_launch(launch_backward_on_device(backward_task(dense, dense_grad, gradients),
                                         c10::cuda::getCurrentCUDAStream()),
               "kernel of the backward");
  const Gradients of_inputs = in_type_of(inputs, gradients);
  return {of_inputs.value, of_inputs.sampling_loc, of_inputs.attn_weight};
}

TORCH_LIBRARY_IMPL(deformdiff, CUDA, library) {
  library.impl("ms_deform_attn_forward", forward);
  library.impl("ms_deform_attn_backward", backward);
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn
