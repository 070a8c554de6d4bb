// The CUDA kernel's source, run on the host.
#pragma once

#include "subjects/ms_deform_attn/forward_arguments.h"

namespace deformdiff::worker::ms_deform_attn {

/// Runs forward_kernel() over the arguments, one thread after the other.
template <typename T>
void run_emulated(const ForwardArguments<T>& arguments);

}  // namespace deformdiff::worker::ms_deform_attn
