// The worker's end of engine/fork_server.
#pragma once

#include <string>
#include <vector>

namespace deformdiff::worker {

/// Forks for every request, and returns in each new process with the words of its command line, which has its
/// own descriptors by then. The server itself ends here when the program that started it is gone. To be
/// called before anything has made a thread.
std::vector<std::string> serve_forks();

}  // namespace deformdiff::worker
