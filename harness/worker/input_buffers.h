// Where the inputs of calls lie in the CPU's memory.
#pragma once

#include "core/tensor.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker {

/// The buffers stay from call to call, as those of a program that fills its own again: a call finds other
/// values at the address of the call before, and in the same tensor where the shape is the same. What an
/// implementation keeps of an input, by its address or as a tensor, is stale by then. Guard bands are as wide
/// as the input, from 4 KiB to 4 MiB: no row of pixels is wider, unless it is of more than 4 MiB itself.
class InputBuffers {
 public:
  /// A copy for input `position` of the next call, with the tensor's strides and offset, in storage of
  /// exactly its size. Throws c10::OutOfMemoryError.
  at::Tensor place(std::size_t position, const Tensor& tensor);

  /// "before" or "after" if there was a write just outside the input's storage since it was placed; or empty.
  std::string_view damage(std::size_t position) const;

  /// Whether the tensor lies in the storage of one of the inputs.
  bool hold(const at::Tensor& tensor) const;

  /// Gives large buffers back.
  void release_large();

 private:
  struct Buffer {
    std::shared_ptr<std::byte> memory;  ///< shared with the tensors in it, which the implementation may keep
    std::size_t capacity = 0;           ///< between the widest bands
    std::size_t bytes = 0;              ///< in use
    at::Tensor given;
    std::byte* data() const;
  };

  std::vector<Buffer> buffers_;
};

}  // namespace deformdiff::worker
