// From tensors to what the CUDA kernels are asked to do.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/ms_deform_attn/cuda/task.h"

namespace deformdiff::worker::ms_deform_attn {

/// The same, contiguous. sampling_loc and attn_weight are of one dtype, float32 where they differ. Throws
/// c10::Error for extents that the kernels do not count.
Inputs for_kernels(const Inputs& inputs);

/// Gradients as the kernels want them: that of value zeros, of 16 bits float32; the others not filled.
Gradients gradients_for_kernels(const Inputs& inputs);

/// The tensors, of for_kernels(), must outlive the result.
ForwardTask forward_task(const Inputs& inputs, const at::Tensor& output);

/// Deterministic where torch.use_deterministic_algorithms() asks for it.
BackwardTask backward_task(const Inputs& inputs, const at::Tensor& grad_output, const Gradients& gradients);

}  // namespace deformdiff::worker::ms_deform_attn
