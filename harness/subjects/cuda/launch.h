// The one way in which kernels are launched: on the device under nvcc, else on the host (harness/emulation).
#pragma once

#if defined(__CUDACC__)
#include <cuda_runtime_api.h>
#else
#include "emulation/launch.h"
#endif

namespace deformdiff::worker {

/// Of one dimension; 0 blocks if there is nothing to do.
struct LaunchShape {
  unsigned blocks;
  unsigned threads;
};

#if defined(__CUDACC__)

using LaunchStream = cudaStream_t;
using LaunchStatus = cudaError_t;
inline constexpr LaunchStatus kLaunched = cudaSuccess;

/// Returns the launch's status, which the caller must look at. The emulation's messages name the kernel.
template <typename... Parameters, typename... Arguments>
[[nodiscard]] LaunchStatus launch(const char*, void (*kernel)(Parameters...), LaunchShape shape,
                                  LaunchStream stream, const Arguments&... arguments) {
  if (shape.blocks == 0) return kLaunched;
  kernel<<<shape.blocks, shape.threads, 0, stream>>>(arguments...);
  return cudaGetLastError();
}

#else

struct LaunchStream {};
using emulation::LaunchStatus;
inline constexpr LaunchStatus kLaunched = LaunchStatus::kLaunched;

template <typename... Parameters, typename... Arguments>
[[nodiscard]] LaunchStatus launch(const char* name, void (*kernel)(Parameters...), LaunchShape shape,
                                  LaunchStream, const Arguments&... arguments) {
  if (shape.blocks == 0) return kLaunched;
  return emulation::launch(name, kernel, {shape.blocks, shape.threads}, arguments...);
}

#endif

}  // namespace deformdiff::worker
