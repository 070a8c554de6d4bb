#include "engine/start_process.h"

#include "core/error.h"

#include <csignal>
#include <cstring>
#include <spawn.h>
#include <unistd.h>

#include <fmt/format.h>

namespace deformdiff {

pid_t start_process(const std::vector<std::string>& argv, std::span<const int> given) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  for (std::size_t i = 0; i < given.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, given[i], static_cast<int>(i));
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    throw InputError(fmt::format("worker {}: cannot be started: {}", argv[0], std::strerror(error)));
  }
  return pid;
}

}  // namespace deformdiff
