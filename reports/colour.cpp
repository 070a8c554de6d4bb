#include "reports/colour.h"

#include <cstdlib>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>

namespace deformdiff {
namespace {

int code_of(Colour colour) {
  constexpr int kRed = 31, kGreen = 32, kYellow = 33, kFaint = 2;
  switch (colour) {
    case Colour::kBad:
      return kRed;
    case Colour::kGood:
      return kGreen;
    case Colour::kNote:
      return kYellow;
    case Colour::kQuiet:
      break;
  }
  return kFaint;
}

}  // namespace

std::string coloured(std::string text, Colour colour, bool wanted) {
  if (!wanted || text.empty()) return text;
  const std::size_t end = text.find_last_not_of('\n') + 1;
  return fmt::format("\x1b[{}m{}\x1b[0m{}", code_of(colour), text.substr(0, end), text.substr(end));
}

bool wants_colour(int descriptor) {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  return ::isatty(descriptor) != 0 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

}  // namespace deformdiff
