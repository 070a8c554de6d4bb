// The operator deformdiff::ms_deform_attn_forward: schema, CPU and Meta kernels; what it does under autograd
// is in autograd.cpp. The CUDA kernel registers itself from its own library (cuda/op.cpp).
#include "subjects/ms_deform_attn/autograd.h"
#include "subjects/ms_deform_attn/cpu/kernel.h"
#include "subjects/ms_deform_attn/forward.h"

#include <algorithm>
#include <new>

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

constexpr std::align_val_t kWorkspaceAlignment{64};

class Workspace {
 public:
  explicit Workspace(std::int64_t bytes)
      : bytes_(
            static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), kWorkspaceAlignment))) {}
  ~Workspace() { ::operator delete(bytes_, kWorkspaceAlignment); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  std::byte* get() const { return bytes_; }

 private:
  std::byte* bytes_;
};

/// Rows that are worth a thread of their own: about 20 us of work.
template <typename T>
std::int64_t rows_per_task(const ForwardArguments<T>& a) {
  constexpr std::int64_t kMultiplyAdds = 1 << 17;
  const std::int64_t per_row = std::max<std::int64_t>(1, a.M * a.L * a.P * 4 * (a.D + 8));
  return std::max<std::int64_t>(1, kMultiplyAdds / per_row);
}

template <typename T>
void run(const ForwardArguments<T>& arguments) {
  const CpuRows<T> rows = cpu_rows<T>();
  const std::int64_t workspace_bytes = cpu_workspace_bytes(arguments);
  at::parallel_for(0, arguments.N * arguments.Q, rows_per_task(arguments),
                   [&](std::int64_t begin, std::int64_t end) {
                     const Workspace workspace(workspace_bytes);
                     rows(arguments, begin, end, workspace.get());
                   });
}

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
  return at::empty(output_shape(inputs), value.options());
}

}  // namespace

void forward_cpu_into(const Inputs& inputs, const at::Tensor& output) {
  const at::ScalarType type = compute_type(output.scalar_type());
  if (type != output.scalar_type()) {
    const at::Tensor wide = at::empty(output.sizes(), output.options().dtype(type));
    forward_cpu_into(in_compute_type(inputs), wide);
    output.copy_(wide);
    return;
  }
  const Inputs dense = contiguous(inputs);
  with_element_type(dense.value.scalar_type(), [&]<typename T>(T) { run(arguments_of<T>(dense, output)); });
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
TORCH_LIBRARY_IMPL(deformdiff, Autograd, library) {
  library.impl("ms_deform_attn_forward", forward_with_autograd);
}

}  // namespace deformdiff::worker::ms_deform_attn
