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

Shard parse_shard(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    throw InputError(fmt::format("--shard '{}': I/N wanted, as in 1/4 for the first of four", text));
  }
  const auto index = parse_integer<std::uint64_t>(text.substr(0, slash), "--shard I/N: I", 1);
  const auto count = parse_integer<std::uint64_t>(text.substr(slash + 1), "--shard I/N: N", 1);
  if (index > count) throw InputError(fmt::format("--shard {}: I is counted from 1 to N", text));
  // Beyond that no part would have a case.
  constexpr std::uint64_t kMost = 1'000'000;
  if (count > kMost) throw InputError(fmt::format("--shard {}: at most {} parts", text, kMost));
  return {index - 1, count};
}

LevelSize parse_image_size(const std::string& text) {
  const std::size_t cross = text.find('x');
  if (cross == std::string::npos) {
    throw InputError(fmt::format("--image-size {}: HEIGHTxWIDTH wanted, as in 256x320", text));
  }
  const auto side = [](const std::string& digits) {
    return parse_integer<std::int64_t>(digits, "--image-size", 1);
  };
  return {side(text.substr(0, cross)), side(text.substr(cross + 1))};
}

}  // namespace deformdiff::cli
