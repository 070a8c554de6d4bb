// The CUDA kernels of deformdiff::ms_deform_attn_forward and _backward: libdeformdiff_cuda.so, which
// registers them when it is loaded.
#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/ms_deform_attn/cuda/kernel_device.h"

#include <tuple>

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

cudaStream_t stream_of(const at::Tensor& tensor) {
  return c10::cuda::getCurrentCUDAStream(tensor.get_device());
}

/// Contiguous, in what the kernels compute in, and all of them on the device of value. spatial_shapes and
/// level_start_index may be on the host or on the device: their levels are checked on the host, which waits
/// for them if they are on the device.
Inputs checked(const Inputs& inputs) {
  check_levels(inputs.spatial_shapes.cpu(), inputs.level_start_index.cpu(), inputs.value.size(1));
  Inputs dense = contiguous(in_compute_type(inputs));
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
  const at::Tensor output = at::empty(output_shape(inputs), dense.value.options());
  with_element_type(output.scalar_type(), [&]<typename T>(T) {
    const int status = launch_forward(arguments_of<T>(dense, output), stream_of(output));
    C10_CUDA_CHECK(static_cast<cudaError_t>(status));
  });
  return output.to(value.scalar_type());
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
  const at::Tensor dense_grad = grad_output.to(dense.value.scalar_type()).contiguous();
  const Gradients gradients = new_gradients(dense);
  with_element_type(dense.value.scalar_type(), [&]<typename T>(T) {
    const int status = launch_backward(arguments_of<T>(dense, dense_grad, gradients), stream_of(value));
    C10_CUDA_CHECK(static_cast<cudaError_t>(status));
  });
  const Gradients of_inputs = in_type_of(inputs, gradients);
  return {of_inputs.value, of_inputs.sampling_loc, of_inputs.attn_weight};
}

TORCH_LIBRARY_IMPL(deformdiff, CUDA, library) {
  library.impl("ms_deform_attn_forward", forward);
  library.impl("ms_deform_attn_backward", backward);
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn
