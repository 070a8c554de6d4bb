// LibTorch's CPU memory, watched: guard bands around every allocation, and poison in it until it is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <c10/core/Allocator.h>

namespace deformdiff::worker {

/// Every 2 bytes of fresh memory: NaN as float16 and bfloat16, twice as a float, and four times as a double.
/// LibTorch rounds no NaN of a wider type to this one.
constexpr std::uint16_t kPoison = 0x7FF5;

/// A write outside an allocation.
struct Damage {
  const void* memory = nullptr;
  std::size_t bytes = 0;  ///< its size
  bool before = false;    ///< the band in front of it is broken, not the one behind
};

/// Thread-safe. Allocations are aligned to 64 bytes.
class GuardedAllocator final : public c10::Allocator {
 public:
  /// The one instance, made LibTorch's CPU allocator by the first call and never destroyed.
  static GuardedAllocator& instance();

  /// Throws c10::OutOfMemoryError.
  c10::DataPtr allocate(std::size_t bytes) override;

  c10::DeleterFnPtr raw_deleter() const override;
  void copy_data(void* to, const void* from, std::size_t count) const override;

  /// How many allocations there have been.
  std::uint64_t count();

  /// Whether `memory` is one that is live and was made after so many.
  bool was_made_after(std::uint64_t count, const void* memory);

  /// Looks at the bands of all allocations. The first damage found since the last call, also to those that
  /// have been freed; the bands are whole again afterwards.
  std::optional<Damage> take_damage();

 private:
  struct Allocation {
    std::size_t bytes = 0;
    std::uint64_t number = 0;
  };

  static void release(void* allocation);
  void check(std::byte* allocation, std::size_t bytes);

  std::mutex mutex_;
  std::unordered_map<const void*, Allocation> allocations_;
  std::uint64_t count_ = 0;
  std::optional<Damage> damage_;
};

}  // namespace deformdiff::worker
