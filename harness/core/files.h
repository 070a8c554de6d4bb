// Whole files in and out.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace deformdiff {

/// Throws InputError naming the file and the reason.
std::string read_file(const std::filesystem::path& path);

/// Written to a temporary name in the same folder and renamed, so that no reader ever sees half a file and a
/// process that dies leaves the old one. Throws InputError naming the file and the reason.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace deformdiff
