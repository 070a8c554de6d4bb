#include "cli/option_values.h"

#include "core/error.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

namespace deformdiff::cli {

double parse_duration(const std::string& text, const std::string& flag) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string unit(rest, end);
  static const std::map<std::string, double> kUnits{{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
  const auto seconds = kUnits.find(unit);
  if (error != std::errc() || seconds == kUnits.end() || !(number > 0) || !std::isfinite(number)) {
    throw InputError(fmt::format("{} '{}': a time such as 30s, 500ms, 10m or 8h wanted", flag, text));
  }
  return number * seconds->second;
}

template <typename Number>
Number parse_integer(const std::string& text, const std::string& flag, Number smallest) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < smallest) {
    throw InputError(fmt::format("{} '{}': a whole number from {} to {} wanted", flag, text, smallest,
                                 std::numeric_limits<Number>::max()));
  }
  return number;
}

template int parse_integer(const std::string&, const std::string&, int);
template std::int64_t parse_integer(const std::string&, const std::string&, std::int64_t);
template std::uint64_t parse_integer(const std::string&, const std::string&, std::uint64_t);

}  // namespace deformdiff::cli
