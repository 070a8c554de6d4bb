// The operators that deformdiff calls, for libraries that register them with PyTorch's dispatcher.
#pragma once

namespace deformdiff {

/// Schema of the forward operator, in the namespace of the library that defines it.
/// value [B, S, M, D], spatial_shapes [L, 2] int64 (height, width), level_start_index [L] int64,
/// sampling_loc [B, Q, M, L, P, 2] (x, y in units of the map), attn_weight [B, Q, M, L, P]; im2col_step is
/// MMCV's and says nothing of the result. Returns output [B, Q, M*D], new and of the dtype and device of
/// value. Source: Zhu et al., "Deformable DETR", 2020, equation 3.
inline constexpr const char* kMsDeformAttnForward =
    "ms_deform_attn_forward(Tensor value, Tensor spatial_shapes, Tensor level_start_index, Tensor "
    "sampling_loc, "
    "Tensor attn_weight, int im2col_step) -> Tensor";

/// Schema of the backward: the gradients of the sum of grad_output * output, for grad_output [B, Q, M*D] and
/// the other arguments as above. Returns those of value, sampling_loc and attn_weight, new and of their
/// shapes; that of value is 0 in rows of no level.
inline constexpr const char* kMsDeformAttnBackward =
    "ms_deform_attn_backward(Tensor value, Tensor spatial_shapes, Tensor level_start_index, Tensor "
    "sampling_loc, "
    "Tensor attn_weight, Tensor grad_output, int im2col_step) -> (Tensor, Tensor, Tensor)";

}  // namespace deformdiff
