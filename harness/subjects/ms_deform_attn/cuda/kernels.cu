// The CUDA kernels, compiled for the device.
// A kernel asserts its launch assumptions, in release builds too.
#undef NDEBUG
#include "subjects/ms_deform_attn/cuda/kernels.h"
#include "subjects/ms_deform_attn/cuda/launches.cuh"

namespace deformdiff::worker::ms_deform_attn {

int launch_forward_on_device(const ForwardTask& task, CUstream_st* stream) {
  return launch_forward(task, stream);
}

int launch_backward_on_device(const BackwardTask& task, CUstream_st* stream) {
  return launch_backward(task, stream);
}

}  // namespace deformdiff::worker::ms_deform_attn
