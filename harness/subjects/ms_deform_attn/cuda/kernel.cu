// The CUDA kernels, compiled for the device.
// A kernel asserts its launch assumptions, in release builds too.
#undef NDEBUG
#include "subjects/cuda/launch.h"
#include "subjects/ms_deform_attn/cuda/backward_kernel.cuh"
#include "subjects/ms_deform_attn/cuda/kernel.cuh"
#include "subjects/ms_deform_attn/cuda/kernel_device.h"

namespace deformdiff::worker::ms_deform_attn {
namespace {

template <typename T>
int launch_on(const ForwardArguments<T>& a, cudaStream_t stream) {
  return launch("forward_kernel", forward_kernel<T>, launch_shape(a.N * a.Q * a.M * a.D), stream, a);
}

template <typename T>
int launch_on(const BackwardArguments<T>& a, cudaStream_t stream) {
  return launch("backward_kernel", backward_kernel<T>, launch_shape(a.N * a.Q * a.M * a.L * a.P), stream, a);
}

}  // namespace

int launch_forward(const ForwardArguments<float>& arguments, CUstream_st* stream) {
  return launch_on(arguments, stream);
}

int launch_forward(const ForwardArguments<double>& arguments, CUstream_st* stream) {
  return launch_on(arguments, stream);
}

int launch_backward(const BackwardArguments<float>& arguments, CUstream_st* stream) {
  return launch_on(arguments, stream);
}

int launch_backward(const BackwardArguments<double>& arguments, CUstream_st* stream) {
  return launch_on(arguments, stream);
}

}  // namespace deformdiff::worker::ms_deform_attn
