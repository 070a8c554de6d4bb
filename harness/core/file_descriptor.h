// An owned file descriptor, and whole pieces of data through one.
#pragma once

#include <cstddef>
#include <unistd.h>
#include <utility>

namespace deformdiff {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileDescriptor() { reset(); }

  int get() const { return descriptor_; }

  void reset() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_ = -1;
};

/// False if the input ends before. Throws std::system_error.
bool read_all(int descriptor, void* data, std::size_t bytes);

/// False if nobody reads any more. Throws std::system_error.
bool write_all(int descriptor, const void* data, std::size_t bytes);

}  // namespace deformdiff
