// Arrays of the host kernels' own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace deformdiff::worker::ms_deform_attn::cpu {

/// `count` elements, not initialised, aligned to a cache line. Throws std::bad_alloc.
template <typename T>
class Memory {
 public:
  explicit Memory(std::int64_t count)
      : data_(static_cast<T*>(::operator new(static_cast<std::size_t>(count) * sizeof(T), kAlignment))) {}
  ~Memory() { ::operator delete(data_, kAlignment); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  T* get() const { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  T* data_;
};

}  // namespace deformdiff::worker::ms_deform_attn::cpu
