#include "core/files.h"

#include "core/error.h"
#include "core/file_descriptor.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& path, const char* action, const std::string& reason) {
  throw InputError(fmt::format("{}: cannot be {}: {}", path.string(), action, reason));
}

bool is_standard_output(const fs::path& path) {
  struct stat there, output;
  return ::stat(path.c_str(), &there) == 0 && ::fstat(STDOUT_FILENO, &output) == 0 &&
         there.st_dev == output.st_dev && there.st_ino == output.st_ino;
}

/// Into what is at `path`, or a new file. Throws std::system_error.
void write_into(const fs::path& path, std::string_view content) {
  FileDescriptor file;
  if (is_standard_output(path)) {
    // Behind what is printed there already, which opening it anew would cut off.
    std::fflush(stdout);
    file = FileDescriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  } else {
    constexpr mode_t kForAll = 0666;
    file = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, kForAll));
  }
  if (file.get() < 0) throw std::system_error(errno, std::generic_category());
  if (!write_all(file.get(), content.data(), content.size())) {
    throw std::system_error(EPIPE, std::generic_category());
  }
}

}  // namespace

std::uint64_t largest_file() {
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 2;
}

std::string read_file(const fs::path& path, std::uint64_t most) {
  std::error_code error;
  // What has no size may be endless.
  const bool has_size = fs::is_regular_file(path, error);
  if (!has_size) most = std::min(most, kLargestText);
  const std::string too_large = fmt::format("it has more than {} bytes, the most that is read", most);
  if (has_size && fs::file_size(path, error) > most) refuse(path, "read", too_large);
  std::string content = read_start(path, most + 1);
  if (content.size() > most) refuse(path, "read", too_large);
  return content;
}

std::string read_start(const fs::path& path, std::uint64_t bytes) {
  std::error_code error;
  if (fs::is_directory(path, error)) refuse(path, "read", "it is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse(path, "read", std::strerror(errno));
  std::string content;
  constexpr std::size_t kChunk = 1 << 20;
  while (in && content.size() < bytes) {
    const std::size_t held = content.size();
    const std::size_t wanted = std::min<std::uint64_t>(kChunk, bytes - held);
    content.resize(held + wanted);
    in.read(content.data() + held, static_cast<std::streamsize>(wanted));
    content.resize(held + static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) refuse(path, "read", std::strerror(errno));
  return content;
}

bool is_replaced(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  return status.type() == fs::file_type::not_found || status.type() == fs::file_type::regular;
}

void write_file(const fs::path& path, std::string_view content) {
  const bool replaced = is_replaced(path);
  fs::path target = path;
  if (replaced) target += fmt::format(".{}.tmp", ::getpid());
  try {
    write_into(target, content);
    if (replaced) fs::rename(target, path);
  } catch (const std::system_error& error) {
    std::error_code ignored;
    if (replaced) fs::remove(target, ignored);
    refuse(path, "written", error.code().message());
  }
}

std::string about(const fs::path& file, const std::exception& error) {
  const std::string text = error.what();
  return text.starts_with(file.string() + ": ") ? text : fmt::format("{}: {}", file.string(), text);
}

fs::path worker_path() {
  const fs::path self = "/proc/self/exe";
  std::error_code error;
  const fs::path program = fs::read_symlink(self, error);
  if (error) refuse(self, "read", error.message());
  return program.parent_path() / "deformdiff-worker";
}

}  // namespace deformdiff
