// The operator deformdiff::ms_deform_attn_forward: schema, CPU and Meta kernels; what it does under autograd
// and autocast is in files of those names. The CUDA kernel registers itself from its own library
// (cuda/op.cpp).
#include "subjects/ms_deform_attn/autocast.h"
#include "subjects/ms_deform_attn/autograd.h"
#include "subjects/ms_deform_attn/cpu/operator.h"
#include "subjects/ms_deform_attn/cpu_call.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/ms_deform_attn/symbolic_shape.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

at::Tensor cpu_kernel(const at::Tensor& value, const at::Tensor& spatial_shapes,
                      const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                      const at::Tensor& attn_weight, std::int64_t im2col_step) {
  return forward_cpu({value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step});
}

at::Tensor meta_kernel(const at::Tensor& value, const at::Tensor& spatial_shapes,
                       const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                       const at::Tensor& attn_weight, std::int64_t im2col_step) {
  const Inputs inputs{value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step};
  check_structure(inputs);
  return at::empty_symint(symbolic_output_shape(inputs), value.options());
}

}  // namespace

void forward_cpu_into(const Inputs& inputs, const at::Tensor& output) {
  const Inputs dense = as_kernels_read(inputs);
  cpu::forward({problem_of(dense), output.mutable_data_ptr()}, libtorch_threads());
}

at::Tensor forward_cpu(const Inputs& inputs) {
  check_structure(inputs);
  check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const at::Tensor output = at::empty(output_shape(inputs), inputs.value.options());
  forward_cpu_into(inputs, output);
  return output;
}

at::Tensor forward_operator(const Inputs& inputs) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("deformdiff::ms_deform_attn_forward", "")
                             .typed<decltype(cpu_kernel)>();
  return op.call(inputs.value, inputs.spatial_shapes, inputs.level_start_index, inputs.sampling_loc,
                 inputs.attn_weight, inputs.im2col_step);
}

TORCH_LIBRARY(deformdiff, library) {
  library.def(
      "ms_deform_attn_forward(Tensor value, Tensor spatial_shapes, Tensor level_start_index, "
      "Tensor sampling_loc, Tensor attn_weight, int im2col_step) -> Tensor");
}

TORCH_LIBRARY_IMPL(deformdiff, CPU, library) {
  library.impl("ms_deform_attn_forward", cpu_kernel);
}
TORCH_LIBRARY_IMPL(deformdiff, Meta, library) {
  library.impl("ms_deform_attn_forward", meta_kernel);
}
TORCH_LIBRARY_IMPL(deformdiff, AutocastCPU, library) {
  library.impl("ms_deform_attn_forward", forward_under_autocast);
}
TORCH_LIBRARY_IMPL(deformdiff, AutocastCUDA, library) {
  library.impl("ms_deform_attn_forward", forward_under_autocast);
}
TORCH_LIBRARY_IMPL(deformdiff, Autograd, library) {
  library.impl("ms_deform_attn_forward", forward_with_autograd);
}

}  // namespace deformdiff::worker::ms_deform_attn
