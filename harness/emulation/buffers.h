// The memory that kernels of this thread may touch: everything else is an access outside any buffer.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace deformdiff::emulation {

struct Buffer {
  const void* address;
  std::size_t bytes;
  std::string name;        ///< for messages: "grad_value"
  bool read_only = false;  ///< to write there is a fault; nothing else is kept of it, which is faster
};

/// Gives buffers to the launches of this thread for as long as it lives. Scopes nest: a launch sees all.
class BufferScope {
 public:
  explicit BufferScope(std::vector<Buffer> buffers);
  ~BufferScope();
  BufferScope(const BufferScope&) = delete;
  BufferScope& operator=(const BufferScope&) = delete;

 private:
  std::size_t outer_;
};

/// A function that lists further buffers at each launch: those of an allocator, of a framework. For good.
using BufferSource = std::vector<Buffer> (*)();
void add_buffer_source(BufferSource source);

/// What a launch of this thread may touch now.
std::vector<Buffer> known_buffers();

}  // namespace deformdiff::emulation
