#include "engine/journal/folder_lock.h"

#include "core/error.h"
#include "core/files.h"
#include "engine/journal/journal_error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

namespace deformdiff {

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "lock";
  constexpr mode_t kForAll = 0666;
  file_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kForAll));
  if (file_.get() < 0) {
    throw JournalError(fmt::format("{}: cannot be written: {}", path.string(), std::strerror(errno)));
  }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      throw JournalError(fmt::format("{}: cannot be locked: {}", path.string(), std::strerror(errno)));
    }
    const std::string holder = read_file(path);
    throw InputError(
        fmt::format("{}: another run is writing here ({}); wait for it, end it, or choose "
                    "another --out",
                    folder.string(), holder.empty() ? "process unknown" : holder));
  }
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  const std::string holder = fmt::format("process {} on {}", ::getpid(), host);
  if (::ftruncate(file_.get(), 0) != 0 || !write_all(file_.get(), holder.data(), holder.size())) {
    throw JournalError(fmt::format("{}: cannot be written: {}", path.string(), std::strerror(errno)));
  }
}

}  // namespace deformdiff
