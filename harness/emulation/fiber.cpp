#include "emulation/fiber.h"

#include <new>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace deformdiff::emulation {
namespace {

#if defined(__SANITIZE_ADDRESS__)
// AddressSanitizer's frames are larger.
constexpr std::size_t kStackBytes = 512 << 10;

void before_switch(void** save, const void* bottom, std::size_t size) {
  __sanitizer_start_switch_fiber(save, bottom, size);
}
void after_switch(void* saved, const void** bottom, std::size_t* size) {
  __sanitizer_finish_switch_fiber(saved, bottom, size);
}
void forget_frames(Range stack) {
  __asan_unpoison_memory_region(reinterpret_cast<void*>(stack.begin), stack.end - stack.begin);
}
#else
constexpr std::size_t kStackBytes = 64 << 10;

void before_switch(void**, const void*, std::size_t) {}
void after_switch(void*, const void**, std::size_t*) {}
void forget_frames(Range) {}
#endif

constexpr std::size_t kGuardBytes = 4096;

}  // namespace

Fiber::Fiber(Body body, void* argument) : body_(body), argument_(argument) {
  mapping_ = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping_, kGuardBytes, PROT_NONE);
  const auto begin = reinterpret_cast<std::uintptr_t>(mapping_) + kGuardBytes;
  stack_ = {begin, begin + kStackBytes};
  restart();
}

Fiber::~Fiber() {
  forget_frames(stack_);
  munmap(mapping_, kStackBytes + kGuardBytes);
}

void Fiber::restart() {
  forget_frames(stack_);
  fiber_fake_stack_ = nullptr;
  fiber_ = boost::context::detail::make_fcontext(reinterpret_cast<void*>(stack_.end), kStackBytes, enter);
}

void Fiber::resume() {
  before_switch(&host_fake_stack_, reinterpret_cast<void*>(stack_.begin), kStackBytes);
  const auto transfer = boost::context::detail::jump_fcontext(fiber_, this);
  after_switch(host_fake_stack_, nullptr, nullptr);
  fiber_ = transfer.fctx;
}

void Fiber::leave() {
  before_switch(&fiber_fake_stack_, host_bottom_, host_size_);
  const auto transfer = boost::context::detail::jump_fcontext(host_, nullptr);
  after_switch(fiber_fake_stack_, &host_bottom_, &host_size_);
  host_ = transfer.fctx;
}

void Fiber::enter(boost::context::detail::transfer_t transfer) {
  Fiber& self = *static_cast<Fiber*>(transfer.data);
  after_switch(nullptr, &self.host_bottom_, &self.host_size_);
  self.host_ = transfer.fctx;
  self.body_(self, self.argument_);
}

}  // namespace deformdiff::emulation
