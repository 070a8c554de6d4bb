// The CUDA kernel of deformdiff::ms_deform_attn_forward: libdeformdiff_cuda.so, which registers it when it
// is loaded.
#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/ms_deform_attn/cuda/kernel_device.h"

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

template <typename T>
void run(const Inputs& dense, const at::Tensor& output) {
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream(output.get_device());
  C10_CUDA_CHECK(static_cast<cudaError_t>(launch_forward(arguments_of<T>(dense, output), stream)));
}

/// spatial_shapes and level_start_index may be on the host or on the device: their levels are checked on
/// the host, which waits for them if they are on the device.
at::Tensor cuda_kernel(const at::Tensor& value, const at::Tensor& spatial_shapes,
                       const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                       const at::Tensor& attn_weight, std::int64_t im2col_step) {
  const Inputs inputs{value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step};
  check_structure(inputs);
  const c10::cuda::CUDAGuard guard(value.device());
  check_levels(spatial_shapes.cpu(), level_start_index.cpu(), value.size(1));
  Inputs dense = contiguous(in_compute_type(inputs));
  dense.spatial_shapes = dense.spatial_shapes.to(value.device());
  dense.level_start_index = dense.level_start_index.to(value.device());
  const at::Tensor output = at::empty(output_shape(inputs), dense.value.options());
  with_element_type(output.scalar_type(), [&]<typename T>(T) { run<T>(dense, output); });
  return output.to(value.scalar_type());
}

TORCH_LIBRARY_IMPL(deformdiff, CUDA, library) {
  library.impl("ms_deform_attn_forward", cuda_kernel);
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn
