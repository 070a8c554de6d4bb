// Whole files in and out, and what is said of them.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>

namespace deformdiff {

/// The largest text that is read: a saved case, a configuration. What is made of it takes ten times as much.
constexpr std::uint64_t kLargestText = std::uint64_t{256} << 20;

/// The largest file that is read otherwise: half of this machine's memory, for its tensors are copied.
std::uint64_t largest_file();

/// Throws InputError naming the file and the reason, also for one of more than `most` bytes. A regular file's
/// size is known before memory is taken for it; of any other at most kLargestText is read.
std::string read_file(const std::filesystem::path& path, std::uint64_t most = largest_file());

/// The first bytes, or the whole file if it has fewer.
std::string read_start(const std::filesystem::path& path, std::uint64_t bytes);

/// Whether write_file() replaces what is there: nothing or a regular file. A link, a device or a pipe is
/// written through.
bool is_replaced(const std::filesystem::path& path);

/// A regular file is written to a temporary name in the same folder and renamed, so that no reader ever sees
/// half a file and a process that dies leaves the old one. Throws InputError naming the file and the reason;
/// then there is no temporary file left.
void write_file(const std::filesystem::path& path, std::string_view content);

/// The error's text, with the file that it is about in front unless it begins with that.
std::string about(const std::filesystem::path& file, const std::exception& error);

/// Where the worker lies, if it was built: beside the running program. Throws InputError if the system does
/// not tell.
std::filesystem::path worker_path();

}  // namespace deformdiff
