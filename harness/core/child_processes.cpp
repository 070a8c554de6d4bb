#include "core/child_processes.h"

#include "core/file_descriptor.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace deformdiff {
namespace {

using Clock = std::chrono::steady_clock;

/// A process that is killed is gone within milliseconds, unless the system holds it.
constexpr std::chrono::seconds kPatience{5};

struct Status {
  char state = 0;
  pid_t parent = 0;
};

/// From /proc; nothing if there is no such process.
std::optional<Status> status_of(pid_t process) {
  const std::string path = "/proc/" + std::to_string(process) + "/stat";
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[512];
  const ssize_t got = file.get() < 0 ? 0 : ::read(file.get(), text, sizeof text);
  // "PID (name) S PARENT ...", where the name may have parentheses.
  const std::string_view line(text, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const std::size_t name_end = line.rfind(") ");
  if (name_end == std::string_view::npos || line.size() < name_end + 5) return std::nullopt;
  Status status{line[name_end + 2]};
  std::from_chars(line.data() + name_end + 4, line.data() + line.size(), status.parent);
  return status;
}

/// The children are asked of /proc/PID/stat: not every kernel lists them.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  const pid_t self = ::getpid();
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), &::closedir);
  while (const dirent* entry = folder == nullptr ? nullptr : ::readdir(folder.get())) {
    const auto process = static_cast<pid_t>(std::atoi(entry->d_name));
    const auto status = process > 0 ? status_of(process) : std::nullopt;
    if (status && status->parent == self) found.push_back(process);
  }
  return found;
}

bool has_children() {
  siginfo_t info;
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void kill_until(pid_t process, int handle, Clock::time_point deadline) {
  ::kill(process, SIGKILL);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd gone{handle, POLLIN, 0};
  if (handle >= 0) ::poll(&gone, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
  ::waitpid(process, nullptr, WNOHANG);
}

}  // namespace

void adopt_orphans() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void kill_child(pid_t process, int handle) {
  kill_until(process, handle, Clock::now() + kPatience);
}

void kill_children(std::span<const pid_t> spared) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (has_children() && Clock::now() < deadline) {
    std::vector<pid_t> doomed = children();
    std::erase_if(doomed, [&](pid_t child) { return std::ranges::find(spared, child) != spared.end(); });
    if (doomed.empty()) return;
    // All at once first: none of them is to see another's end.
    for (const pid_t child : doomed) ::kill(child, SIGKILL);
    for (const pid_t child : doomed) {
      const FileDescriptor handle(open_process(child));
      kill_until(child, handle.get(), deadline);
    }
  }
}

int open_process(pid_t process) {
  return static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
}

bool is_stopped(pid_t process) {
  const auto status = status_of(process);
  return status && (status->state == 'T' || status->state == 't');
}

}  // namespace deformdiff
