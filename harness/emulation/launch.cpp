#include "emulation/launch.h"

#include <atomic>
#include <cstdlib>
#include <mutex>

namespace deformdiff::emulation {
namespace {

std::uint64_t schedule_of_environment() {
  const char* seed = std::getenv("DEFORMDIFF_EMULATION_SCHEDULE");
  return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}

std::atomic<std::uint64_t>& schedule() {
  static std::atomic<std::uint64_t> seed = schedule_of_environment();
  return seed;
}

bool is_valid(const Launch& launch) {
  constexpr std::uint64_t kMaxThreads = 1024;
  constexpr std::size_t kMaxSharedBytes = 227 << 10;
  const std::uint64_t threads = std::uint64_t{launch.block.x} * launch.block.y * launch.block.z;
  const bool has_blocks = launch.grid.x != 0 && launch.grid.y != 0 && launch.grid.z != 0;
  return has_blocks && launch.grid.x < 1U << 31 && launch.grid.y < 1U << 16 && launch.grid.z < 1U << 16 &&
         threads != 0 && threads <= kMaxThreads && launch.block.z <= 64 &&
         launch.shared_bytes <= kMaxSharedBytes;
}

}  // namespace

void set_schedule(std::uint64_t seed) {
  schedule() = seed;
}

LaunchStatus run(const Launch& launch) {
  static std::mutex mutex;
  static Machine machine;
  if (!is_valid(launch)) return LaunchStatus::kInvalidConfiguration;
  const std::lock_guard lock(mutex);
  machine.run(launch, known_buffers(), schedule());
  return LaunchStatus::kLaunched;
}

}  // namespace deformdiff::emulation
