// Where saved cases that are kept lie.
#pragma once

#include <filesystem>
#include <optional>

namespace deformdiff::cli {

/// `typed` if it is not empty, else cases/ in the working directory, if that is there. Throws InputError
/// naming `flag` for a typed one that is no folder.
std::optional<std::filesystem::path> find_cases_folder(const std::filesystem::path& typed, const char* flag);

}  // namespace deformdiff::cli
