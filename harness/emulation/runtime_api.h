// The part of CUDA's runtime API that launching host code uses. Memory of the device is memory of the host;
// everything has ended when its call returns.
#pragma once

#include "emulation/launch.h"

#include <cstddef>
#include <cstring>
#include <utility>

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
};
using cudaStream_t = struct CUstream_st*;
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault,
};
enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize,
  cudaFuncAttributePreferredSharedMemoryCarveout,
};

/// Memory that kernels may touch until cudaFree().
cudaError_t cudaMalloc(void** address, std::size_t bytes);
cudaError_t cudaFree(void* address);
template <typename T>
cudaError_t cudaMalloc(T** address, std::size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(address), bytes);
}

/// The last launch's error, which is forgotten then.
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
const char* cudaGetErrorString(cudaError_t error);

inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t = nullptr) {
  return cudaMemcpy(to, from, bytes, kind);
}
template <typename T>
cudaError_t cudaMemcpyToSymbol(T& symbol, const void* from, std::size_t bytes, std::size_t offset = 0) {
  return cudaMemcpy(reinterpret_cast<char*>(&symbol) + offset, from, bytes, cudaMemcpyDefault);
}
inline cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  std::memset(to, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t = nullptr) {
  return cudaMemset(to, value, bytes);
}
inline cudaError_t cudaDeviceSynchronize() {
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return cudaSuccess;
}
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) {
  return cudaSuccess;
}
// NOLINTEND(readability-identifier-naming)

/// A kernel's name for messages, where a macro of the source made it too.
#define DEFORMDIFF_NAME(...) DEFORMDIFF_NAME_AS_WRITTEN(__VA_ARGS__)
#define DEFORMDIFF_NAME_AS_WRITTEN(...) #__VA_ARGS__

namespace deformdiff::emulation {

void set_last_error(cudaError_t error);

/// kernel<<<configuration>>>(arguments), whose error cudaGetLastError() gives.
template <typename... Parameters, typename... Arguments>
void launch_as_cuda(const char* name, void (*kernel)(Parameters...), const Configuration& configuration,
                    Arguments&&... arguments) {
  const LaunchStatus status = launch(name, kernel, configuration, std::forward<Arguments>(arguments)...);
  if (status == LaunchStatus::kInvalidConfiguration) set_last_error(cudaErrorInvalidConfiguration);
}

}  // namespace deformdiff::emulation
