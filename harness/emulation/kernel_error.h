// What the emulation throws when a kernel does what CUDA leaves undefined.
#pragma once

#include <stdexcept>

namespace deformdiff::emulation {

/// A kernel's fault, in one line: the kernel, the threads that took part, the memory and, where the kernel
/// was compiled with -g, the source line.
class KernelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace deformdiff::emulation
