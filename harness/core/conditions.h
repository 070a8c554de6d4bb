// Conditions on a block's dimensions, as a `supports` declaration writes them: "D%8==0,L<=4".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deformdiff {

/// One condition, taken apart.
struct Condition {
  enum class Operator : std::uint8_t { kEqual, kNotEqual, kAtMost, kAtLeast, kBelow, kAbove };
  std::string name;
  std::int64_t divisor = 0;  ///< 0: none
  Operator symbol = Operator::kEqual;
  std::int64_t number = 0;
  std::string text;  ///< as written

  bool holds(std::int64_t size) const;
};

/// All of them, in their order. Throws InputError for anything that is not a condition, whatever its name.
std::vector<Condition> parse_conditions(const std::string& conditions);

/// The first condition that does not hold, as written; empty if all hold. Conditions are separated by commas
/// (and): NAME [% NUMBER] OPERATOR NUMBER, operator one of == != < <= > >=. Throws InputError naming the
/// condition for anything else, and for a name that is not in `dimensions`.
std::string first_violated(const std::string& conditions,
                           const std::map<std::string, std::int64_t>& dimensions);

/// Throws InputError as first_violated does, whatever the sizes: for checking a declaration before any case
/// is there. Names allowed are N, S, M, D, Q, L, P.
void check_conditions(const std::string& conditions);

}  // namespace deformdiff
