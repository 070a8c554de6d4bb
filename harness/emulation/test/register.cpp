// The operators' names, which is all that an address torchop: needs of them.
#include <torch/library.h>

at::Tensor families_forward(const at::Tensor& value, const at::Tensor& spatial_shapes,
                            const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                            const at::Tensor& attn_weight, int64_t im2col_step);
std::tuple<at::Tensor, at::Tensor, at::Tensor> families_backward(
    const at::Tensor& value, const at::Tensor& spatial_shapes, const at::Tensor& level_start_index,
    const at::Tensor& sampling_loc, const at::Tensor& attn_weight, const at::Tensor& grad_output,
    int64_t im2col_step);

TORCH_LIBRARY(families, library) {
  library.def(
      "ms_deform_attn_forward(Tensor value, Tensor spatial_shapes, Tensor level_start_index, "
      "Tensor sampling_loc, Tensor attn_weight, int im2col_step) -> Tensor",
      families_forward);
  library.def(
      "ms_deform_attn_backward(Tensor value, Tensor spatial_shapes, Tensor level_start_index, "
      "Tensor sampling_loc, Tensor attn_weight, Tensor grad_output, int im2col_step) -> (Tensor, Tensor, "
      "Tensor)",
      families_backward);
}
