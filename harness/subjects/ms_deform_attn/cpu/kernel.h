// The host kernel of ms_deform_attn: channels innermost, coordinates and corner weights computed once for
// all channels, one variant for each instruction set, chosen at run time.
#pragma once

#include "subjects/ms_deform_attn/forward_arguments.h"

#include <cstddef>
#include <cstdint>

namespace deformdiff::worker::ms_deform_attn {

/// Computes rows [begin, end) of the N*Q rows of the output. `workspace` has the size that
/// cpu_workspace_bytes() says, is aligned to 64 bytes, and belongs to this call alone.
template <typename T>
using CpuRows = void (*)(const ForwardArguments<T>& arguments, std::int64_t begin, std::int64_t end,
                         std::byte* workspace);

template <typename T>
std::int64_t cpu_workspace_bytes(const ForwardArguments<T>& arguments);

/// The fastest variant that this processor runs.
template <typename T>
CpuRows<T> cpu_rows();

/// The variants themselves. Each lies in a translation unit of its own, compiled for its instruction set.
template <typename T>
void cpu_rows_baseline(const ForwardArguments<T>&, std::int64_t begin, std::int64_t end,
                       std::byte* workspace);
#if defined(__x86_64__)
template <typename T>
void cpu_rows_avx2(const ForwardArguments<T>&, std::int64_t begin, std::int64_t end, std::byte* workspace);
template <typename T>
void cpu_rows_avx512(const ForwardArguments<T>&, std::int64_t begin, std::int64_t end, std::byte* workspace);
#endif

}  // namespace deformdiff::worker::ms_deform_attn
