// A worker program that has loaded its libraries once and forks for every worker that is to start: LibTorch
// takes a fifth of a second to load, PyTorch more than a second, a fork some milliseconds.
#pragma once

#include "core/file_descriptor.h"

#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace deformdiff {

class ForkServer {
 public:
  /// Starts `command --fork-server`, which goes on loading. Throws InputError if it cannot be started.
  explicit ForkServer(const std::vector<std::string>& command);
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  pid_t pid() const { return pid_; }

  /// Starts the command with `words` behind it and `given[i]` as descriptor i, in a group of its own. The
  /// process is a child of this one, which must have adopted orphans. -1 where the server is gone or does not
  /// answer: then it never will.
  pid_t start(std::span<const std::string> words, std::span<const int> given);

 private:
  FileDescriptor socket_;
  pid_t pid_ = -1;
};

}  // namespace deformdiff
