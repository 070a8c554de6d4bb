// The host side of released operators: tensors in, launches by dtype, tensors out.
#include <cuda.h>
#include <cuda_runtime.h>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>

#define PLANTED 0
#include "families.cuh"

at::Tensor families_forward(const at::Tensor& value_, const at::Tensor& spatial_shapes_,
                            const at::Tensor& level_start_index_, const at::Tensor& sampling_loc,
                            const at::Tensor& attn_weight, const int64_t im2col_step) {
  const auto value = value_.contiguous(), spatial_shapes = spatial_shapes_.contiguous();
  const auto level_start_index = level_start_index_.contiguous();
  AT_ASSERTM(value.type().is_cuda(), "value must be a CUDA tensor");
  AT_ASSERTM(sampling_loc.is_cuda(), "sampling_loc must be a CUDA tensor");
  const int batch = value.size(0), spatial_size = value.size(1), heads = value.size(2),
            channels = value.size(3);
  const int levels = spatial_shapes.size(0), queries = sampling_loc.size(1), points = sampling_loc.size(4);
  auto output = at::zeros({batch, queries, heads, channels}, value.options());
  const auto locations = sampling_loc.to(value.scalar_type()).contiguous();
  const auto weights = attn_weight.to(value.scalar_type()).contiguous();
  if (output.numel() == 0) return output.view({batch, queries, heads * channels});
  AT_DISPATCH_FLOATING_TYPES(value.scalar_type(), "families_forward", ([&] {
                               run_forward<scalar_t>(
                                   at::cuda::getCurrentCUDAStream(), value.data_ptr<scalar_t>(),
                                   spatial_shapes.data_ptr<int64_t>(), level_start_index.data_ptr<int64_t>(),
                                   locations.data_ptr<scalar_t>(), weights.data_ptr<scalar_t>(), batch,
                                   spatial_size, heads, channels, levels, queries, points,
                                   output.data_ptr<scalar_t>());
                             }));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return output.view({batch, queries, heads * channels});
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> families_backward(
    const at::Tensor& value_, const at::Tensor& spatial_shapes_, const at::Tensor& level_start_index_,
    const at::Tensor& sampling_loc, const at::Tensor& attn_weight, const at::Tensor& grad_output_,
    const int64_t im2col_step) {
  const auto value = value_.contiguous(), spatial_shapes = spatial_shapes_.contiguous();
  const auto level_start_index = level_start_index_.contiguous(), grad_output = grad_output_.contiguous();
  const int batch = value.size(0), spatial_size = value.size(1), heads = value.size(2),
            channels = value.size(3);
  const int levels = spatial_shapes.size(0), queries = sampling_loc.size(1), points = sampling_loc.size(4);
  const auto locations = sampling_loc.to(value.scalar_type()).contiguous();
  const auto weights = attn_weight.to(value.scalar_type()).contiguous();
  auto grad_value = at::zeros_like(value);
  auto grad_locations = at::zeros_like(locations);
  auto grad_weights = at::zeros_like(weights);
  if (grad_output.numel() != 0) {
    AT_DISPATCH_FLOATING_TYPES(value.scalar_type(), "families_backward", ([&] {
                                 run_backward<scalar_t>(
                                     at::cuda::getCurrentCUDAStream(), grad_output.data_ptr<scalar_t>(),
                                     value.data_ptr<scalar_t>(), spatial_shapes.data_ptr<int64_t>(),
                                     level_start_index.data_ptr<int64_t>(), locations.data_ptr<scalar_t>(),
                                     weights.data_ptr<scalar_t>(), batch, spatial_size, heads, channels,
                                     levels, queries, points, grad_value.data_ptr<scalar_t>(),
                                     grad_locations.data_ptr<scalar_t>(), grad_weights.data_ptr<scalar_t>());
                               }));
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
  return {grad_value, grad_locations, grad_weights};
}
