// From tensors to the host kernels' arrays.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/ms_deform_attn/cpu/problem.h"
#include "subjects/ms_deform_attn/cpu/threads.h"

namespace deformdiff::worker::ms_deform_attn {

/// Pointers into inputs of as_kernels_read(), which must outlive the result.
cpu::Problem problem_of(const Inputs& dense);

/// LibTorch's threads; only this one where the call comes from one of several.
cpu::Threads libtorch_threads();

}  // namespace deformdiff::worker::ms_deform_attn
