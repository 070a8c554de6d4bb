// A stack of its own for kernel threads, over Boost.Context.
#pragma once

#include "emulation/memory.h"

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

namespace deformdiff::emulation {

/// Runs `body` when it is first resumed, which must not return. Not for use by several host threads at once.
class Fiber {
 public:
  using Body = void (*)(Fiber& self, void* argument);

  Fiber(Body body, void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// From the host: runs until the fiber calls leave().
  void resume();
  /// From the fiber: back to the host.
  void leave();
  /// From the host: forgets where the fiber was; the next resume() runs the body anew. Nothing on its stack
  /// is destroyed.
  void restart();

  Range stack() const { return stack_; }

 private:
  static void enter(boost::context::detail::transfer_t transfer);

  Body body_;
  void* argument_;
  void* mapping_;
  Range stack_;
  boost::context::detail::fcontext_t fiber_ = nullptr, host_ = nullptr;
  // AddressSanitizer's: its data of either stack, and where the host's lies.
  void* fiber_fake_stack_ = nullptr;
  void* host_fake_stack_ = nullptr;
  const void* host_bottom_ = nullptr;
  std::size_t host_size_ = 0;
};

}  // namespace deformdiff::emulation
