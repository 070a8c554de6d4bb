// What g++ and clang++ call before each load and store of code compiled with -fsanitize=thread, here in place
// of ThreadSanitizer's own library: every access of an unmodified kernel, with its address.
#include "emulation/machine.h"

#include <cstdint>
#include <cstring>

// NOLINTBEGIN(readability-identifier-naming): the compilers' names
namespace deformdiff::emulation {
namespace {

inline void note(const void* address, std::size_t bytes, AccessKind kind, const void* site) {
  // Host code of the same file runs outside any kernel.
  if (running_machine != nullptr) running_machine->access(address, bytes, kind, site);
}

}  // namespace
}  // namespace deformdiff::emulation

using deformdiff::emulation::AccessKind;
using deformdiff::emulation::note;

#define SITE __builtin_return_address(0)
#define ACCESSES(bytes)                                        \
  void __tsan_read##bytes(void* address) {                     \
    note(address, bytes, AccessKind::kRead, SITE);             \
  }                                                            \
  void __tsan_write##bytes(void* address) {                    \
    note(address, bytes, AccessKind::kWrite, SITE);            \
  }                                                            \
  void __tsan_unaligned_read##bytes(void* address) {           \
    note(address, bytes, AccessKind::kRead, SITE);             \
  }                                                            \
  void __tsan_unaligned_write##bytes(void* address) {          \
    note(address, bytes, AccessKind::kWrite, SITE);            \
  }                                                            \
  void __tsan_volatile_read##bytes(void* address) {            \
    note(address, bytes, AccessKind::kRead, SITE);             \
  }                                                            \
  void __tsan_volatile_write##bytes(void* address) {           \
    note(address, bytes, AccessKind::kWrite, SITE);            \
  }                                                            \
  void __tsan_unaligned_volatile_read##bytes(void* address) {  \
    note(address, bytes, AccessKind::kRead, SITE);             \
  }                                                            \
  void __tsan_unaligned_volatile_write##bytes(void* address) { \
    note(address, bytes, AccessKind::kWrite, SITE);            \
  }                                                            \
  void __tsan_read_write##bytes(void* address) {               \
    note(address, bytes, AccessKind::kWrite, SITE);            \
  }                                                            \
  void __tsan_unaligned_read_write##bytes(void* address) {     \
    note(address, bytes, AccessKind::kWrite, SITE);            \
  }

// Host code's atomics, which must do what they say.
#define FETCH(bits, type, name, builtin)                                       \
  type __tsan_atomic##bits##_##name(volatile type* address, type value, int) { \
    return builtin(address, value, __ATOMIC_SEQ_CST);                          \
  }
#define ATOMICS(bits, type)                                                                                  \
  type __tsan_atomic##bits##_load(const volatile type* address, int) {                                       \
    return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                                       \
  }                                                                                                          \
  void __tsan_atomic##bits##_store(volatile type* address, type value, int) {                                \
    __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                                      \
  }                                                                                                          \
  FETCH(bits, type, exchange, __atomic_exchange_n)                                                           \
  FETCH(bits, type, fetch_add, __atomic_fetch_add)                                                           \
  FETCH(bits, type, fetch_sub, __atomic_fetch_sub)                                                           \
  FETCH(bits, type, fetch_and, __atomic_fetch_and)                                                           \
  FETCH(bits, type, fetch_or, __atomic_fetch_or)                                                             \
  FETCH(bits, type, fetch_xor, __atomic_fetch_xor)                                                           \
  FETCH(bits, type, fetch_nand, __atomic_fetch_nand)                                                         \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* address, type* expected, type desired,    \
                                                    int, int) {                                              \
    return __atomic_compare_exchange_n(address, expected, desired, false, __ATOMIC_SEQ_CST,                  \
                                       __ATOMIC_SEQ_CST);                                                    \
  }                                                                                                          \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* address, type* expected, type desired, int, \
                                                  int) {                                                     \
    return __atomic_compare_exchange_n(address, expected, desired, false, __ATOMIC_SEQ_CST,                  \
                                       __ATOMIC_SEQ_CST);                                                    \
  }                                                                                                          \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type* address, type expected, type desired, int,  \
                                                  int) {                                                     \
    __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
    return expected;                                                                                         \
  }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void* address, std::size_t bytes) {
  note(address, bytes, AccessKind::kRead, SITE);
}
void __tsan_write_range(void* address, std::size_t bytes) {
  note(address, bytes, AccessKind::kWrite, SITE);
}
void __tsan_vptr_read(void** address) {
  note(address, sizeof *address, AccessKind::kRead, SITE);
}
void __tsan_vptr_update(void** address, void*) {
  note(address, sizeof *address, AccessKind::kWrite, SITE);
}

void* __tsan_memcpy(void* to, const void* from, std::size_t bytes) {
  note(from, bytes, AccessKind::kRead, SITE);
  note(to, bytes, AccessKind::kWrite, SITE);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, std::size_t bytes) {
  note(from, bytes, AccessKind::kRead, SITE);
  note(to, bytes, AccessKind::kWrite, SITE);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, std::size_t bytes) {
  note(to, bytes, AccessKind::kWrite, SITE);
  return std::memset(to, value, bytes);
}

ATOMICS(8, std::uint8_t)
ATOMICS(16, std::uint16_t)
ATOMICS(32, std::uint32_t)
ATOMICS(64, std::uint64_t)
void __tsan_atomic_thread_fence(int) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
