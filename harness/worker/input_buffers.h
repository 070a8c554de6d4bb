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
  /// The next input placed is the first of another call.
  void begin_call() { placed_.clear(); }

  /// A copy for the call's next input, with the tensor's strides and offset, in storage of exactly its size;
  /// in an earlier input's, if the tensor shares storage with that. Throws c10::OutOfMemoryError.
  at::Tensor place(const Tensor& tensor);

  /// "before" or "after" if there was a write just outside the storage of the call's input `position` since
  /// it was placed; or empty.
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

  /// An input of this call.
  struct Placed {
    const std::byte* storage;  ///< that was copied
    std::size_t buffer;        ///< to which
  };

  static at::Tensor fill(Buffer& buffer, const Tensor& tensor);

  std::vector<Buffer> buffers_;  ///< of the input at each position, unused where that is in an earlier one's
  std::vector<Placed> placed_;   ///< by position
};

}  // namespace deformdiff::worker
