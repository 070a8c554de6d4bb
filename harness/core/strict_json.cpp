#include "core/strict_json.h"

#include "core/error.h"

#include <set>
#include <vector>

#include <fmt/format.h>

namespace deformdiff {

Json parse_strict_json(std::string_view text, const std::string& name) {
  std::vector<std::set<std::string>> open_objects;
  const auto refuse_duplicates = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key && !open_objects.back().insert(parsed.get<std::string>()).second) {
      throw InputError(fmt::format("{}: field '{}' is there twice", name, parsed.get<std::string>()));
    }
    return true;
  };
  try {
    return Json::parse(text, refuse_duplicates);
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, ..." without what is in brackets.
    const std::string what = error.what();
    const std::size_t end = what.find("] ");
    throw InputError(
        fmt::format("{}: not JSON: {}", name, end == std::string::npos ? what : what.substr(end + 2)));
  }
}

}  // namespace deformdiff
