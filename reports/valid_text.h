// Text from anywhere (an exception's message, a file's name) as every report's format can hold it.
#pragma once

#include <string>
#include <string_view>

namespace deformdiff {

/// Valid UTF-8 without control characters: a question mark in place of each byte that breaks the encoding and
/// of each control character but tab and line feed.
std::string valid_text(std::string_view text);

}  // namespace deformdiff
