// Tensors of cases as LibTorch's, and back.
#pragma once

#include "core/tensor.h"

#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/Storage.h>

namespace deformdiff::worker {

at::ScalarType scalar_type_of(DType dtype);
std::optional<DType> dtype_of(at::ScalarType type);

/// The tensor's dtype, shape, strides and offset in CPU storage of its size.
at::Tensor view_of(c10::Storage storage, const Tensor& tensor);

/// A copy of the tensor, with its strides and offset, on a device other than the CPU.
at::Tensor copy_on(c10::Device device, const Tensor& tensor);

/// Whether it has the tensor's dtype, shape, strides and offset.
bool is_view_of(const at::Tensor& view, const Tensor& tensor);

/// Whether `copy`, which began as one of `tensor`, still is: the same view of storage with the same bytes.
bool is_copy_of(const at::Tensor& copy, const Tensor& tensor);

/// A contiguous copy. Requires a strided tensor on a device that LibTorch can copy from, of a dtype that
/// dtype_of knows.
Tensor from_torch(const at::Tensor& tensor);

/// Row-major index of the first element that is still poison, or -1.
std::int64_t first_poisoned(const Tensor& contiguous);

}  // namespace deformdiff::worker
