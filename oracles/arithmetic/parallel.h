// Static division of work over threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace deformdiff {

/// Calls work(chunk) for every chunk in [0, chunks), chunk c on thread c mod threads. What a chunk computes
/// must not depend on the others, so that results are the same for any number of threads. The first
/// exception in order of threads is rethrown after all have ended.
template <typename Work>
void for_each_chunk(std::int64_t chunks, int threads, const Work& work) {
  const std::int64_t used = std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(chunks, 1));
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(used));
  const auto run = [&](std::int64_t first) {
    try {
      for (std::int64_t chunk = first; chunk < chunks; chunk += used) work(chunk);
    } catch (...) {
      failures[static_cast<std::size_t>(first)] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::int64_t t = 1; t < used; ++t) others.emplace_back(run, t);
    run(0);
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace deformdiff
