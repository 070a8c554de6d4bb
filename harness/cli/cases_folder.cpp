#include "cli/cases_folder.h"

#include "core/error.h"

#include <system_error>

#include <fmt/format.h>

namespace deformdiff::cli {

std::optional<std::filesystem::path> find_cases_folder(const std::filesystem::path& typed, const char* flag) {
  std::error_code ignored;
  if (typed.empty()) {
    const std::filesystem::path usual = "cases";
    return std::filesystem::is_directory(usual, ignored) ? std::optional(usual) : std::nullopt;
  }
  if (std::filesystem::is_directory(typed, ignored)) return typed;
  throw InputError(
      fmt::format("{} {}: there is no such folder: make it, or name another", flag, typed.string()));
}

}  // namespace deformdiff::cli
