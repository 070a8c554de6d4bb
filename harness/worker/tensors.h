// Tensors of cases as LibTorch's, and back.
#pragma once

#include "core/tensor.h"

#include <optional>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker {

at::ScalarType scalar_type_of(DType dtype);
std::optional<DType> dtype_of(at::ScalarType type);

/// A copy of the tensor in a guarded allocation of exactly its storage, with its strides and offset, on
/// `device`.
at::Tensor to_torch(const Tensor& tensor, c10::Device device);

/// Whether the storage of `copy`, which to_torch made of `tensor`, still holds the same bytes.
bool holds_storage_of(const at::Tensor& copy, const Tensor& tensor);

/// A contiguous copy. Requires a strided tensor on a device that LibTorch can copy from, of a dtype that
/// dtype_of knows.
Tensor from_torch(const at::Tensor& tensor);

/// Row-major index of the first element that is still poison, or -1.
std::int64_t first_poisoned(const Tensor& contiguous);

}  // namespace deformdiff::worker
