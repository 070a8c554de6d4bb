#include "worker/guarded_allocator.h"

#include "worker/guard_bands.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <malloc.h>

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

namespace deformdiff::worker {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kBand = 256;
constexpr std::uint8_t kOverOthers = 100;
constexpr int kLarge = 4 << 20;

void poison(std::byte* memory, std::size_t bytes) {
  constexpr std::uint64_t word = kPoison * std::uint64_t{0x0001'0001'0001'0001};
  std::fill_n(reinterpret_cast<std::uint64_t*>(memory), bytes / sizeof word, word);
  std::memcpy(memory + bytes / sizeof word * sizeof word, &word, bytes % sizeof word);
}

}  // namespace

GuardedAllocator& GuardedAllocator::instance() {
  static GuardedAllocator* allocator = [] {
    // Large allocations go back to the system one by one. In the heap, freed ones would stay between live
    // ones.
    ::mallopt(M_MMAP_THRESHOLD, kLarge);
    auto* made = new GuardedAllocator;
    c10::SetCPUAllocator(made, kOverOthers);
    return made;
  }();
  return *allocator;
}

c10::DataPtr GuardedAllocator::allocate(std::size_t bytes) {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (bytes == 0) return {nullptr, cpu};
  void* memory = nullptr;
  std::size_t whole = 0;
  const bool too_large = __builtin_add_overflow(bytes, 2 * kBand, &whole);
  TORCH_CHECK_WITH(OutOfMemoryError, !too_large && ::posix_memalign(&memory, kAlignment, whole) == 0,
                   "out of memory: ", bytes, " bytes asked for");
  auto* allocation = static_cast<std::byte*>(memory) + kBand;
  fill_band(allocation - kBand, kBand);
  poison(allocation, bytes);
  fill_band(allocation + bytes, kBand);
  const std::lock_guard lock(mutex_);
  allocations_.emplace(allocation, Allocation{bytes, ++count_});
  return {allocation, allocation, &release, cpu};
}

c10::DeleterFnPtr GuardedAllocator::raw_deleter() const {
  return &release;
}

void GuardedAllocator::copy_data(void* to, const void* from, std::size_t count) const {
  default_copy_data(to, from, count);
}

void GuardedAllocator::release(void* pointer) {
  if (pointer == nullptr) return;
  auto* allocation = static_cast<std::byte*>(pointer);
  GuardedAllocator& self = instance();
  {
    const std::lock_guard lock(self.mutex_);
    const auto found = self.allocations_.find(pointer);
    TORCH_INTERNAL_ASSERT(found != self.allocations_.end());
    self.check(allocation, found->second.bytes);
    self.allocations_.erase(found);
  }
  std::free(allocation - kBand);
}

void GuardedAllocator::check(std::byte* allocation, std::size_t bytes) {
  for (const bool before : {true, false}) {
    std::byte* band = before ? allocation - kBand : allocation + bytes;
    if (is_whole_band(band, kBand)) continue;
    fill_band(band, kBand);
    if (!damage_) damage_ = Damage{allocation, bytes, before};
  }
}

std::uint64_t GuardedAllocator::count() {
  const std::lock_guard lock(mutex_);
  return count_;
}

bool GuardedAllocator::was_made_after(std::uint64_t count, const void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(memory);
  return found != allocations_.end() && found->second.number > count;
}

std::optional<Damage> GuardedAllocator::take_damage() {
  const std::lock_guard lock(mutex_);
  for (const auto& [pointer, allocation] : allocations_) {
    check(static_cast<std::byte*>(const_cast<void*>(pointer)), allocation.bytes);
  }
  return std::exchange(damage_, std::nullopt);
}

}  // namespace deformdiff::worker
