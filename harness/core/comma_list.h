// Lists as they are typed: A,B,C.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// The parts between commas, empty ones among them; none behind a comma at the end, and none of "".
std::vector<std::string> split_at_commas(std::string_view text);

}  // namespace deformdiff
