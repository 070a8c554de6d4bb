#include "cli/interrupt.h"

#include <csignal>

namespace deformdiff::cli {
namespace {

std::atomic<bool> was_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

extern "C" void note_interrupt(int /*signal*/) {
  was_interrupted = true;
  // The next one is not ours.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
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
