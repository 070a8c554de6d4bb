// The kernels of the backward as plain functions of tensors, outside the dispatcher.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"

#include <ATen/core/Tensor.h>

namespace deformdiff::worker::ms_deform_attn {

/// Checks everything and computes into new tensors. CPU tensors only.
Gradients backward_cpu(const Inputs& inputs, const at::Tensor& grad_output);

/// The CUDA kernel's own source, run on the host by harness/emulation.
Gradients backward_cuda_emulated(const Inputs& inputs, const at::Tensor& grad_output);

/// The registered operator deformdiff::ms_deform_attn_backward, through the dispatcher.
Gradients backward_operator(const Inputs& inputs, const at::Tensor& grad_output);

}  // namespace deformdiff::worker::ms_deform_attn
