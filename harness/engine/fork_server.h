// A worker program that has loaded its libraries once and forks for every worker that is to start: LibTorch
// takes a fifth of a second to load, a fork milliseconds.
#pragma once

#include "core/file_descriptor.h"

#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace deformdiff {

class ForkServer {
 public:
  /// Starts `program --fork-server`, which goes on loading. Throws InputError if it cannot be started.
  explicit ForkServer(const std::string& program);
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  pid_t pid() const { return pid_; }

  /// Starts argv, which is the program's, with `given[i]` as its descriptor i, in a group of its own. The
  /// process is a child of this one, which must have adopted orphans. -1 where the server is gone or does not
  /// answer: then it never will.
  pid_t start(const std::vector<std::string>& argv, std::span<const int> given);

 private:
  FileDescriptor socket_;
  pid_t pid_ = -1;
};

}  // namespace deformdiff
