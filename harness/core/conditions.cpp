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
    const auto belongs = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    while (length < rest_.size() && belongs(rest_[length])) ++length;
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
    throw InputError(fmt::format(
        "condition '{}': {}; wanted is NAME [% NUMBER] OPERATOR NUMBER, with names as N S M D Q L P "
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

using Operator = Condition::Operator;

/// Two-character operators first: "<" begins "<=".
constexpr std::pair<std::string_view, Operator> kOperators[] = {
    {"==", Operator::kEqual},   {"!=", Operator::kNotEqual}, {"<=", Operator::kAtMost},
    {">=", Operator::kAtLeast}, {"<", Operator::kBelow},     {">", Operator::kAbove}};

Condition parse(std::string_view text) {
  Reader reader(text);
  Condition condition;
  condition.text = text;
  condition.name = reader.name();
  if (reader.accept("%")) {
    condition.divisor = reader.number();
    if (condition.divisor < 1) reader.refuse("the number after % must be positive");
  }
  const auto* symbol = std::find_if(std::begin(kOperators), std::end(kOperators),
                                    [&](const auto& candidate) { return reader.accept(candidate.first); });
  if (symbol == std::end(kOperators)) reader.refuse("an operator is missing");
  condition.symbol = symbol->second;
  condition.number = reader.number();
  reader.expect_end();
  return condition;
}

}  // namespace

bool Condition::holds(std::int64_t size) const {
  const std::int64_t left = divisor > 0 ? size % divisor : size;
  switch (symbol) {
    case Operator::kEqual:
      return left == number;
    case Operator::kNotEqual:
      return left != number;
    case Operator::kAtMost:
      return left <= number;
    case Operator::kAtLeast:
      return left >= number;
    case Operator::kBelow:
      return left < number;
    case Operator::kAbove:
      return left > number;
  }
  return false;
}

std::vector<Condition> parse_conditions(const std::string& conditions) {
  std::vector<Condition> parsed;
  std::string_view rest = conditions;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    parsed.push_back(parse(rest.substr(0, comma)));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    if (comma != std::string_view::npos && rest.empty()) Reader(conditions).refuse("it ends in a comma");
  }
  return parsed;
}

std::string first_violated(const std::string& conditions,
                           const std::map<std::string, std::int64_t>& dimensions) {
  const std::vector<Condition> parsed = parse_conditions(conditions);
  for (const Condition& condition : parsed) {
    if (!dimensions.contains(condition.name)) Reader(condition.text).refuse("there is no such dimension");
  }
  for (const Condition& condition : parsed) {
    if (!condition.holds(dimensions.at(condition.name))) return condition.text;
  }
  return "";
}

void check_conditions(const std::string& conditions) {
  first_violated(conditions, {{"N", 1}, {"S", 1}, {"M", 1}, {"D", 1}, {"Q", 1}, {"L", 1}, {"P", 1}});
}

}  // namespace deformdiff
