// The operator deformdiff::ms_deform_attn_backward: schema, CPU and Meta kernels; under autograd it refuses
// to be differentiated (autograd.cpp). The CUDA kernel registers itself from its own library (cuda/op.cpp).
#include "subjects/ms_deform_attn/autograd.h"
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/cpu/operator.h"
#include "subjects/ms_deform_attn/cpu_call.h"

#include <tuple>
#include <utility>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

using ThreeTensors = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

ThreeTensors in_order(Gradients gradients) {
  return {std::move(gradients.value), std::move(gradients.sampling_loc), std::move(gradients.attn_weight)};
}

ThreeTensors cpu_kernel(const at::Tensor& value, const at::Tensor& spatial_shapes,
                        const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                        const at::Tensor& attn_weight, const at::Tensor& grad_output,
                        std::int64_t im2col_step) {
  return in_order(backward_cpu(
      {value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step}, grad_output));
}

ThreeTensors meta_kernel(const at::Tensor& value, const at::Tensor& spatial_shapes,
                         const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                         const at::Tensor& attn_weight, const at::Tensor& grad_output,
                         std::int64_t im2col_step) {
  const Inputs inputs{value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step};
  check_structure(inputs);
  check_grad_output(inputs, grad_output);
  return in_order(new_gradients(inputs));
}

}  // namespace

Gradients backward_cpu(const Inputs& inputs, const at::Tensor& grad_output) {
  check_structure(inputs);
  check_grad_output(inputs, grad_output);
  check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const Inputs dense = as_kernels_read(inputs);
  const at::Tensor dense_grad = grad_output.contiguous();
  const Gradients gradients = new_gradients(dense);
  cpu::backward({problem_of(dense), dense_grad.const_data_ptr(), gradients.value.mutable_data_ptr(),
                 gradients.sampling_loc.mutable_data_ptr(), gradients.attn_weight.mutable_data_ptr()},
                libtorch_threads());
  return in_type_of(inputs, gradients);
}

Gradients backward_operator(const Inputs& inputs, const at::Tensor& grad_output) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("deformdiff::ms_deform_attn_backward", "")
                             .typed<decltype(cpu_kernel)>();
  auto [value, sampling_loc, attn_weight] =
      op.call(inputs.value, inputs.spatial_shapes, inputs.level_start_index, inputs.sampling_loc,
              inputs.attn_weight, grad_output, inputs.im2col_step);
  return {std::move(value), std::move(sampling_loc), std::move(attn_weight)};
}

TORCH_LIBRARY_FRAGMENT(deformdiff, library) {
  library.def(
      "ms_deform_attn_backward(Tensor value, Tensor spatial_shapes, Tensor level_start_index, "
      "Tensor sampling_loc, Tensor attn_weight, Tensor grad_output, int im2col_step) -> "
      "(Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(deformdiff, CPU, library) {
  library.impl("ms_deform_attn_backward", cpu_kernel);
}
TORCH_LIBRARY_IMPL(deformdiff, Meta, library) {
  library.impl("ms_deform_attn_backward", meta_kernel);
}
TORCH_LIBRARY_IMPL(deformdiff, Autograd, library) {
  library.impl("ms_deform_attn_backward", backward_without_derivative);
}

}  // namespace deformdiff::worker::ms_deform_attn
