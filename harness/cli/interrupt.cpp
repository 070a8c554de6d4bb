#include "cli/interrupt.h"

#include <csignal>
#include <cstdint>
#include <ctime>

namespace deformdiff::cli {
namespace {

std::atomic<bool> was_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

/// Nanoseconds within which a second signal is the first one again: `timeout`, and a terminal's group of
/// processes, may send one to a process and to its group.
constexpr std::int64_t kOnePress = 200'000'000;

std::atomic<std::int64_t> interrupted_at{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "a signal handler sets it");

extern "C" void note_interrupt(int signal) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t at = now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
  if (!was_interrupted.exchange(true)) {
    interrupted_at = at;
  } else if (at - interrupted_at > kOnePress) {
    // This one is not ours.
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

const std::atomic<bool>& interrupted() {
  return was_interrupted;
}

void catch_interrupts() {
  std::signal(SIGINT, note_interrupt);
  std::signal(SIGTERM, note_interrupt);
}

}  // namespace deformdiff::cli
