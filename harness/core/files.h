// Whole files in and out, and what is said of them.
#pragma once

#include <exception>
#include <filesystem>
#include <string>
#include <string_view>

namespace deformdiff {

/// Throws InputError naming the file and the reason.
std::string read_file(const std::filesystem::path& path);

/// Written to a temporary name in the same folder and renamed, so that no reader ever sees half a file and a
/// process that dies leaves the old one. Throws InputError naming the file and the reason.
void write_file(const std::filesystem::path& path, std::string_view content);

/// The error's text, with the file that it is about in front unless it begins with that.
std::string about(const std::filesystem::path& file, const std::exception& error);

/// Where the worker lies, if it was built: beside the running program. Throws InputError if the system does
/// not tell.
std::filesystem::path worker_path();

}  // namespace deformdiff
