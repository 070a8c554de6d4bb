// The CUDA kernels, compiled for the host.
// clang-format off: the emulation must come before the kernels and their launch.
#include "emulation/cuda_emulation.h"
#include "subjects/cuda/launch.h"
#include "subjects/ms_deform_attn/cuda/backward_kernel.cuh"
#include "subjects/ms_deform_attn/cuda/kernel.cuh"
// clang-format on
#include "subjects/ms_deform_attn/cuda/kernel_emulated.h"

namespace deformdiff::worker::ms_deform_attn {

template <typename T>
void run_emulated(const ForwardArguments<T>& a) {
  static_cast<void>(
      launch("forward_kernel", forward_kernel<T>, launch_shape(a.N * a.Q * a.M * a.D), LaunchStream{}, a));
}

template <typename T>
void run_emulated(const BackwardArguments<T>& a) {
  const LaunchShape shape = launch_shape(a.N * a.Q * a.M * a.L * a.P);
  static_cast<void>(launch("backward_kernel", backward_kernel<T>, shape, LaunchStream{}, a));
}

template void run_emulated(const ForwardArguments<float>&);
template void run_emulated(const ForwardArguments<double>&);
template void run_emulated(const BackwardArguments<float>&);
template void run_emulated(const BackwardArguments<double>&);

}  // namespace deformdiff::worker::ms_deform_attn
