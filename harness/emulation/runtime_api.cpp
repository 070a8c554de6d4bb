#include "emulation/runtime_api.h"

#include "emulation/buffers.h"

#include <cstdlib>
#include <map>
#include <mutex>

namespace {

thread_local cudaError_t last_error = cudaSuccess;

std::mutex allocations_mutex;

std::map<void*, std::size_t>& allocations() {
  static std::map<void*, std::size_t> all;
  return all;
}

std::vector<deformdiff::emulation::Buffer> allocated_buffers() {
  const std::lock_guard lock(allocations_mutex);
  std::vector<deformdiff::emulation::Buffer> buffers;
  for (const auto& [address, bytes] : allocations()) {
    buffers.push_back({address, bytes, "memory of cudaMalloc"});
  }
  return buffers;
}

}  // namespace

cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  static const bool listed = (deformdiff::emulation::add_buffer_source(allocated_buffers), true);
  static_cast<void>(listed);
  *address = std::malloc(bytes);
  if (*address == nullptr && bytes != 0) return cudaErrorMemoryAllocation;
  const std::lock_guard lock(allocations_mutex);
  allocations()[*address] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* address) {
  const std::lock_guard lock(allocations_mutex);
  if (address != nullptr && allocations().erase(address) == 0) return cudaErrorInvalidValue;
  std::free(address);
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  return std::exchange(last_error, cudaSuccess);
}

cudaError_t cudaPeekAtLastError() {
  return last_error;
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
  }
  return "unrecognized error code";
}

namespace deformdiff::emulation {

void set_last_error(cudaError_t error) {
  last_error = error;
}

}  // namespace deformdiff::emulation
