// The CUDA kernel, compiled for the host.
// clang-format off: the emulation must come before the kernel and its launch.
#include "emulation/cuda_emulation.h"
#include "subjects/cuda/launch.h"
#include "subjects/ms_deform_attn/cuda/kernel.cuh"
// clang-format on
#include "subjects/ms_deform_attn/cuda/kernel_emulated.h"

namespace deformdiff::worker::ms_deform_attn {

template <typename T>
void run_emulated(const ForwardArguments<T>& a) {
  static_cast<void>(launch(forward_kernel<T>, launch_shape(a.N * a.Q * a.M * a.D), LaunchStream{}, a));
}

template void run_emulated(const ForwardArguments<float>&);
template void run_emulated(const ForwardArguments<double>&);

}  // namespace deformdiff::worker::ms_deform_attn
