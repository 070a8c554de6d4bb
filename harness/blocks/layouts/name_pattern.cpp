#include "blocks/layouts/name_pattern.h"

#include "core/error.h"

#include <charconv>

namespace deformdiff {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The number that `text` begins with, which is taken off it; nullopt if there is none or it has a leading
/// zero.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || !is_digit(text[0]) || (text[0] == '0' && length > 1)) return std::nullopt;
  text.remove_prefix(length);
  return number;
}

}  // namespace

NamePattern::NamePattern(std::string_view text) {
  while (!text.empty()) {
    Piece piece;
    const std::size_t brace = text.find('{');
    piece.text = std::string(text.substr(0, brace));
    if (brace == std::string_view::npos) {
      text = {};
    } else {
      text.remove_prefix(brace + 1);
      if (is_digit(text.front())) piece.factor = *take_number(text);
      piece.letter = text.front();
      text.remove_prefix(1);
      if (text.front() == '+') {
        text.remove_prefix(1);
        piece.addend = *take_number(text);
      }
      DEFORMDIFF_CHECK(text.front() == '}');
      text.remove_prefix(1);
    }
    pieces_.push_back(std::move(piece));
  }
}

std::optional<NamePattern::Numbers> NamePattern::match(std::string_view name) const {
  Numbers numbers;
  for (const Piece& piece : pieces_) {
    if (!name.starts_with(piece.text)) return std::nullopt;
    name.remove_prefix(piece.text.size());
    if (piece.letter == 0) continue;
    if (name.empty()) return std::nullopt;
    const std::optional<std::int64_t> number = take_number(name);
    if (!number || *number < piece.addend || (*number - piece.addend) % piece.factor != 0)
      return std::nullopt;
    const std::int64_t value = (*number - piece.addend) / piece.factor;
    const auto [at, is_new] = numbers.emplace(piece.letter, value);
    if (!is_new && at->second != value) return std::nullopt;
  }
  if (!name.empty()) return std::nullopt;
  return numbers;
}

std::string NamePattern::name(const Numbers& numbers) const {
  std::string result;
  for (const Piece& piece : pieces_) {
    result += piece.text;
    if (piece.letter == 0) continue;
    const auto found = numbers.find(piece.letter);
    result += std::to_string(piece.factor * (found == numbers.end() ? 0 : found->second) + piece.addend);
  }
  return result;
}

}  // namespace deformdiff
