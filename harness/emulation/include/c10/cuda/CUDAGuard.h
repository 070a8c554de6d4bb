// Stands in for the header of PyTorch: one device.
#pragma once

#include "c10/cuda/CUDAException.h"
#include "c10/cuda/CUDAStream.h"

#include <optional>

#include <c10/core/Device.h>

namespace c10::cuda {

struct CUDAGuard {
  explicit CUDAGuard(int) {}
  explicit CUDAGuard(c10::Device) {}
};
struct OptionalCUDAGuard {
  OptionalCUDAGuard() = default;
  explicit OptionalCUDAGuard(std::optional<c10::Device>) {}
};

}  // namespace c10::cuda

namespace at::cuda {
using c10::cuda::CUDAGuard;
using c10::cuda::OptionalCUDAGuard;
}  // namespace at::cuda
