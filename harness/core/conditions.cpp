#include "core/conditions.h"

#include "core/error.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Takes one condition apart from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : whole_(text), rest_(text) {}

  std::string_view name() {
    skip_spaces();
    std::size_t length = 0;
    while (length < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[length])) != 0)) ++length;
    if (length == 0) refuse("a dimension is missing");
    return take(length);
  }

  std::int64_t number() {
    skip_spaces();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) refuse("a number is missing or too large");
    take(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  bool accept(std::string_view symbol) {
    skip_spaces();
    if (!rest_.starts_with(symbol)) return false;
    take(symbol.size());
    return true;
  }

  void expect_end() {
    skip_spaces();
    if (!rest_.empty()) refuse(fmt::format("'{}' is left over", rest_));
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw InputError(
        fmt::format("condition '{}': {}; wanted is NAME [% NUMBER] OPERATOR NUMBER, with names N S M D Q L P "
                    "and operators "
                    "== != < <= > >=, as in D%8==0,L<=4",
                    whole_, what));
  }

 private:
  void skip_spaces() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  std::string_view take(std::size_t length) {
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  std::string_view whole_;
  std::string_view rest_;
};

bool holds(std::string_view condition, const std::map<std::string, std::int64_t>& dimensions) {
  Reader reader(condition);
  const auto found = dimensions.find(std::string(reader.name()));
  if (found == dimensions.end()) reader.refuse("there is no such dimension");
  std::int64_t left = found->second;
  if (reader.accept("%")) {
    const std::int64_t divisor = reader.number();
    if (divisor < 1) reader.refuse("the number after % must be positive");
    left %= divisor;
  }
  // Two-character operators first: "<" begins "<=".
  static constexpr std::string_view kOperators[] = {"==", "!=", "<=", ">=", "<", ">"};
  const auto* symbol = std::find_if(std::begin(kOperators), std::end(kOperators),
                                    [&](std::string_view candidate) { return reader.accept(candidate); });
  if (symbol == std::end(kOperators)) reader.refuse("an operator is missing");
  const std::int64_t right = reader.number();
  reader.expect_end();
  if (*symbol == "==") return left == right;
  if (*symbol == "!=") return left != right;
  if (*symbol == "<=") return left <= right;
  if (*symbol == ">=") return left >= right;
  return *symbol == "<" ? left < right : left > right;
}

}  // namespace

std::string first_violated(const std::string& conditions,
                           const std::map<std::string, std::int64_t>& dimensions) {
  std::string violated;
  std::string_view rest = conditions;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view condition = rest.substr(0, comma);
    // All are read, so that bad grammar behind a violated condition is still refused.
    if (!holds(condition, dimensions) && violated.empty()) violated = condition;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    if (comma != std::string_view::npos && rest.empty()) Reader(conditions).refuse("it ends in a comma");
  }
  return violated;
}

void check_conditions(const std::string& conditions) {
  first_violated(conditions, {{"N", 1}, {"S", 1}, {"M", 1}, {"D", 1}, {"Q", 1}, {"L", 1}, {"P", 1}});
}

}  // namespace deformdiff
