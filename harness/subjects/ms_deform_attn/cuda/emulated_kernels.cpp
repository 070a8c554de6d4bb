// The CUDA kernels, compiled for the host.
#include "subjects/ms_deform_attn/cuda/emulated_kernels.h"

#include "emulation/kernel_error.h"
#include "subjects/ms_deform_attn/cuda/launches.cuh"

namespace deformdiff::worker::ms_deform_attn {
namespace {

void check(LaunchStatus status) {
  if (status != kLaunched) throw emulation::KernelError("CUDA emulation: a device would refuse the launch");
}

}  // namespace

void run_emulated(const ForwardTask& task) {
  check(launch_forward(task, LaunchStream{}));
}

void run_emulated(const BackwardTask& task) {
  check(launch_backward(task, LaunchStream{}));
}

}  // namespace deformdiff::worker::ms_deform_attn
