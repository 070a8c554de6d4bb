// The CUDA kernels on the device: plain C++, so that neither side needs the other's headers. How any kernel
// is launched: subjects/cuda/launch.h.
#pragma once

#include "subjects/ms_deform_attn/backward_arguments.h"
#include "subjects/ms_deform_attn/forward_arguments.h"

struct CUstream_st;

namespace deformdiff::worker::ms_deform_attn {

/// Launches forward_kernel() on `stream` of the current device; all pointers are to that device. Returns
/// the launch's cudaError_t.
int launch_forward(const ForwardArguments<float>& arguments, CUstream_st* stream);
int launch_forward(const ForwardArguments<double>& arguments, CUstream_st* stream);

/// The same of backward_kernel().
int launch_backward(const BackwardArguments<float>& arguments, CUstream_st* stream);
int launch_backward(const BackwardArguments<double>& arguments, CUstream_st* stream);

}  // namespace deformdiff::worker::ms_deform_attn
