// Stands in for the header of PyTorch: one device and one stream.
#pragma once

#include "cuda_runtime.h"

namespace c10::cuda {

class CUDAStream {
 public:
  operator cudaStream_t() const { return nullptr; }
  cudaStream_t stream() const { return nullptr; }
  void synchronize() const {}
};

inline CUDAStream getCurrentCUDAStream(int = -1) {
  return {};
}
inline CUDAStream getDefaultCUDAStream(int = -1) {
  return {};
}

}  // namespace c10::cuda
