// Help for the oracles' tests: arithmetic that flushes subnormal numbers.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace deformdiff::ms_deform_attn {

/// Flushes subnormal results and operands to zero while it lives, where the machine can.
class FlushToZero {
 public:
  explicit FlushToZero(bool wanted) {
#if defined(__SSE2__)
    saved_ = _mm_getcsr();
    if (wanted) _mm_setcsr(saved_ | 0x8040U);
#else
    static_cast<void>(wanted);
#endif
  }
  ~FlushToZero() {
#if defined(__SSE2__)
    _mm_setcsr(saved_);
#endif
  }
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
  unsigned saved_ = 0;
};

}  // namespace deformdiff::ms_deform_attn
