// JSON as our files use it: refuses what a lenient reader would pass over.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace deformdiff {

/// Keeps the order of fields.
using Json = nlohmann::ordered_json;

/// Throws InputError naming `name` (a file) with line and column for anything that is not one JSON value, and
/// for a key that an object has twice. Any bytes whatever are safe to give.
Json parse_strict_json(std::string_view text, const std::string& name);

}  // namespace deformdiff
