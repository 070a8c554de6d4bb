// The one way in which kernels are launched: on the device under nvcc, thread after thread over
// cuda_emulation.h.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_runtime_api.h>
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

/// Returns the launch's status, which the caller must look at.
template <typename... Parameters, typename... Arguments>
[[nodiscard]] LaunchStatus launch(void (*kernel)(Parameters...), LaunchShape shape, LaunchStream stream,
                                  const Arguments&... arguments) {
  if (shape.blocks == 0) return cudaSuccess;
  kernel<<<shape.blocks, shape.threads, 0, stream>>>(arguments...);
  return cudaGetLastError();
}

#else

struct LaunchStream {};
enum class LaunchStatus { kLaunched };

template <typename... Parameters, typename... Arguments>
LaunchStatus launch(void (*kernel)(Parameters...), LaunchShape shape, LaunchStream,
                    const Arguments&... arguments) {
  gridDim = {shape.blocks, 1, 1};
  blockDim = {shape.threads, 1, 1};
  for (unsigned block = 0; block < shape.blocks; ++block) {
    blockIdx = {block, 0, 0};
    for (unsigned thread = 0; thread < shape.threads; ++thread) {
      threadIdx = {thread, 0, 0};
      kernel(arguments...);
    }
  }
  return LaunchStatus::kLaunched;
}

#endif

}  // namespace deformdiff::worker
