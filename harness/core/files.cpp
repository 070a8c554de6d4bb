#include "core/files.h"

#include "core/error.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

namespace deformdiff {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const char* action, const std::string& reason) {
  throw InputError(fmt::format("{}: cannot be {}: {}", path.string(), action, reason));
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) refuse(path, "read", "it is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse(path, "read", std::strerror(errno));
  std::string content;
  constexpr std::size_t kChunk = 1 << 20;
  while (in) {
    const std::size_t held = content.size();
    content.resize(held + kChunk);
    in.read(content.data() + held, kChunk);
    content.resize(held + static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) refuse(path, "read", std::strerror(errno));
  return content;
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{}.tmp", ::getpid());
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.flush();
    if (!out) refuse(path, "written", std::strerror(errno));
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    refuse(path, "written", error.message());
  }
}

std::string about(const std::filesystem::path& file, const std::exception& error) {
  const std::string text = error.what();
  return text.starts_with(file.string() + ": ") ? text : fmt::format("{}: {}", file.string(), text);
}

std::filesystem::path worker_path() {
  const std::filesystem::path self = "/proc/self/exe";
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink(self, error);
  if (error) refuse(self, "read", error.message());
  return program.parent_path() / "deformdiff-worker";
}

}  // namespace deformdiff
