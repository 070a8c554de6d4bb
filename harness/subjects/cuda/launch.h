// The one way in which kernels are launched: on the device under nvcc, else on the host (harness/emulation).
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_runtime_api.h>
#else
#include "emulation/launch.h"
#endif

namespace deformdiff::worker {

/// Threads for a kernel that strides over `count` elements; 0 blocks if there are none.
struct LaunchShape {
  unsigned blocks;
  unsigned threads;
};

inline LaunchShape launch_shape(std::int64_t count) {
  constexpr std::int64_t kThreads = 256;
  constexpr std::int64_t kMaxBlocks = 1 << 20;
  const std::int64_t blocks = (count + kThreads - 1) / kThreads;
  return {static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks), static_cast<unsigned>(kThreads)};
}

#if defined(__CUDACC__)

using LaunchStream = cudaStream_t;
using LaunchStatus = cudaError_t;

/// Returns the launch's status, which the caller must look at. The emulation's messages name the kernel.
template <typename... Parameters, typename... Arguments>
[[nodiscard]] LaunchStatus launch(const char*, void (*kernel)(Parameters...), LaunchShape shape,
                                  LaunchStream stream, const Arguments&... arguments) {
  if (shape.blocks == 0) return cudaSuccess;
  kernel<<<shape.blocks, shape.threads, 0, stream>>>(arguments...);
  return cudaGetLastError();
}

#else

struct LaunchStream {};
using emulation::LaunchStatus;

template <typename... Parameters, typename... Arguments>
[[nodiscard]] LaunchStatus launch(const char* name, void (*kernel)(Parameters...), LaunchShape shape,
                                  LaunchStream, const Arguments&... arguments) {
  if (shape.blocks == 0) return LaunchStatus::kLaunched;
  return emulation::launch(name, kernel, {shape.blocks, shape.threads}, arguments...);
}

#endif

}  // namespace deformdiff::worker
