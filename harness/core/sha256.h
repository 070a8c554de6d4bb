// SHA-256 (FIPS 180-4), for naming the exact bytes of a companion file or a library.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace deformdiff {

/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);

/// Throws InputError if the file cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace deformdiff
