// A loop over independent pieces of work.
#pragma once

#include <cstddef>
#include <functional>

namespace deformdiff {

/// Calls work(0) .. work(count - 1) from up to `threads` threads, the calling one among them, each as one
/// becomes free. An exception ends the loop and is thrown here.
void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& work);

}  // namespace deformdiff
