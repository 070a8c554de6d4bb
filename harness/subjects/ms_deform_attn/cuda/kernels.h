// The CUDA kernels on the device, for code that does not see CUDA.
#pragma once

#include "subjects/ms_deform_attn/cuda/task.h"

struct CUstream_st;

namespace deformdiff::worker::ms_deform_attn {

/// Launches the forward on `stream` of the current device, to which all pointers belong. Returns the launch's
/// cudaError_t.
int launch_forward_on_device(const ForwardTask& task, CUstream_st* stream);

/// The same of the backward.
int launch_backward_on_device(const BackwardTask& task, CUstream_st* stream);

}  // namespace deformdiff::worker::ms_deform_attn
