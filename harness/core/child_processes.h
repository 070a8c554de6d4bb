// The processes below this one, whatever group or session they have moved to.
#pragma once

#include <span>
#include <sys/types.h>

namespace deformdiff {

/// From here on a process below this one becomes its child as soon as its own parent is gone.
void adopt_orphans();

/// Kills the children of this process but for those in `spared`, what they leave to it, and so on, until
/// there are none. Waits for their end, but not for ever: a process stuck in the system stays behind. Only in
/// a process that has adopted orphans, and whose children are all either in `spared` or of no more use.
void kill_children(std::span<const pid_t> spared);

/// Sends `process`, a child of this one with the descriptor `handle` (a pidfd), the signal that ends it,
/// waits as kill_children() does, and takes its exit status from the system.
void kill_child(pid_t process, int handle);

/// A pidfd, or -1 with errno. By the system's own call: the C library has had one since glibc 2.36 alone.
int open_process(pid_t process);

/// Whether the process was stopped, as by SIGSTOP, and waits to be continued.
bool is_stopped(pid_t process);

}  // namespace deformdiff
