// Stands in for the header of PyTorch.
#pragma once

#include "cuda_runtime.h"

template <typename T>
T gpuAtomicAdd(T* address, deformdiff::emulation::Same<T> value) {
  return atomicAdd(address, value);
}
template <typename T>
void gpuAtomicAddNoReturn(T* address, deformdiff::emulation::Same<T> value) {
  atomicAdd(address, value);
}
