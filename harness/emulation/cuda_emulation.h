// Enough of CUDA to compile a kernel's source for the host and run its threads one after the other. It
// finds wrong indices and missing bounds checks; it does not find races, and says so. Include it before a
// .cuh, in one .cpp a kernel.
#pragma once

// A kernel asserts its launch assumptions, in release builds too.
#undef NDEBUG

#include <cmath>

#define __global__
#define __device__
#define __host__

namespace deformdiff::worker {
namespace cuda_emulation {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
struct Extent {
  unsigned x = 1, y = 1, z = 1;
};

}  // namespace cuda_emulation

// The names that device code finds in CUDA.
using std::floor;
inline thread_local cuda_emulation::Index threadIdx;
inline thread_local cuda_emulation::Index blockIdx;
inline thread_local cuda_emulation::Extent blockDim;
inline thread_local cuda_emulation::Extent gridDim;

/// One thread runs at a time.
template <typename T>
T atomicAdd(T* address, T value) {  // NOLINT(readability-identifier-naming): CUDA's name
  const T before = *address;
  *address += value;
  return before;
}

}  // namespace deformdiff::worker
