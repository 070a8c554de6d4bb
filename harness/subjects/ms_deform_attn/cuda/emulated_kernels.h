// The CUDA kernels' source, run on the host (harness/emulation).
#pragma once

#include "subjects/ms_deform_attn/cuda/task.h"

namespace deformdiff::worker::ms_deform_attn {

/// Runs the kernels that a device would run, over memory of the host that an emulation::BufferScope names.
/// Throws emulation::KernelError for what they do wrong.
void run_emulated(const ForwardTask& task);
void run_emulated(const BackwardTask& task);

}  // namespace deformdiff::worker::ms_deform_attn
