// Starting a program as a process of this one.
#pragma once

#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace deformdiff {

/// Starts argv with `given[i]` as its descriptor i, in a group of its own: an interrupt from the keyboard
/// reaches this process only. Throws InputError if it cannot be started.
pid_t start_process(const std::vector<std::string>& argv, std::span<const int> given);

}  // namespace deformdiff
