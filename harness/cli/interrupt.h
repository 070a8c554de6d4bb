// Ctrl-C and SIGTERM: the first ends what is going on, with all that is found and counted so far.
#pragma once

#include <atomic>

namespace deformdiff::cli {

/// Set by the first such signal once catch_interrupts() was called.
const std::atomic<bool>& interrupted();

/// For a command that looks at interrupted(). A second signal ends the program at once.
void catch_interrupts();

/// Of a report that an interrupt cut short.
inline constexpr const char* kInterruptedWarning = "interrupted: this is what was done until then";

}  // namespace deformdiff::cli
