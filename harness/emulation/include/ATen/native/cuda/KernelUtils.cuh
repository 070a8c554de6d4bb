// Stands in for the header of PyTorch.
#pragma once

#include "ATen/cuda/Atomic.cuh"

#include <cstddef>

namespace at::native {

template <typename T>
void fastAtomicAdd(T* tensor, std::size_t index, std::size_t, T value, bool) {
  atomicAdd(tensor + index, value);
}

}  // namespace at::native
