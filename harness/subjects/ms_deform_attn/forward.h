// The kernels as plain functions of tensors, outside the dispatcher.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"

#include <ATen/core/Tensor.h>

namespace deformdiff::worker::ms_deform_attn {

/// Computes into `output`, a contiguous CPU tensor of output_shape(). The inputs must have passed
/// check_structure() and check_levels(); those that are not contiguous are copied.
void forward_cpu_into(const Inputs& inputs, const at::Tensor& output);

/// Checks everything and computes into a new tensor. CPU tensors only.
at::Tensor forward_cpu(const Inputs& inputs);

/// The CUDA kernel's own source, run on the host by harness/emulation.
at::Tensor forward_cuda_emulated(const Inputs& inputs);

/// The registered operator deformdiff::ms_deform_attn_forward, through the dispatcher.
at::Tensor forward_operator(const Inputs& inputs);

}  // namespace deformdiff::worker::ms_deform_attn
