// What the registered operators do under autograd.
#pragma once

#include <cstdint>
#include <tuple>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker::ms_deform_attn {

/// The Autograd kernel of deformdiff::ms_deform_attn_forward: the operator below autograd, whose gradients
/// are those of deformdiff::ms_deform_attn_backward. Of value, sampling_loc and attn_weight, whichever
/// require one.
at::Tensor forward_with_autograd(const at::Tensor& value, const at::Tensor& spatial_shapes,
                                 const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                                 const at::Tensor& attn_weight, std::int64_t im2col_step);

/// The Autograd kernel of deformdiff::ms_deform_attn_backward: the operator, whose results throw
/// c10::NotImplementedError where they are differentiated (double backward).
std::tuple<at::Tensor, at::Tensor, at::Tensor> backward_without_derivative(
    const at::Tensor& value, const at::Tensor& spatial_shapes, const at::Tensor& level_start_index,
    const at::Tensor& sampling_loc, const at::Tensor& attn_weight, const at::Tensor& grad_output,
    std::int64_t im2col_step);

}  // namespace deformdiff::worker::ms_deform_attn
