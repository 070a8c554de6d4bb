// Stands in for the header of PyTorch.
#pragma once

#include "cuda_runtime.h"

#include <c10/util/Exception.h>

#define C10_CUDA_CHECK(expression)                                                                  \
  do {                                                                                              \
    const cudaError_t status_of_call = (expression);                                                \
    TORCH_CHECK(status_of_call == cudaSuccess, "CUDA error: ", cudaGetErrorString(status_of_call)); \
  } while (0)
#define C10_CUDA_KERNEL_LAUNCH_CHECK() C10_CUDA_CHECK(cudaGetLastError())
#define AT_CUDA_CHECK(expression) C10_CUDA_CHECK(expression)
