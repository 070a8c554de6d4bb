// Which variant of the kernels this processor runs.
#pragma once

#include "subjects/ms_deform_attn/cpu/kernels.h"

namespace deformdiff::worker::ms_deform_attn::cpu {

/// Those of the widest instruction set that this processor has, or of the one that the environment variable
/// DEFORMDIFF_CPU_ISA names: baseline, avx2 or avx512. Throws std::runtime_error if it names another, or one
/// that this processor does not have.
template <typename T>
Kernels<T> kernels();

template <typename T>
Kernels<T> kernels_baseline();
#if defined(__x86_64__)
template <typename T>
Kernels<T> kernels_avx2();
template <typename T>
Kernels<T> kernels_avx512();
#endif

}  // namespace deformdiff::worker::ms_deform_attn::cpu
