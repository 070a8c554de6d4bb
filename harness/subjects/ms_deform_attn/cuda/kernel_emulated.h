// The CUDA kernels' source, run on the host.
#pragma once

#include "subjects/ms_deform_attn/backward_arguments.h"
#include "subjects/ms_deform_attn/forward_arguments.h"

namespace deformdiff::worker::ms_deform_attn {

/// Runs forward_kernel() over the arguments, one thread after the other.
template <typename T>
void run_emulated(const ForwardArguments<T>& arguments);

/// The same with backward_kernel().
template <typename T>
void run_emulated(const BackwardArguments<T>& arguments);

}  // namespace deformdiff::worker::ms_deform_attn
