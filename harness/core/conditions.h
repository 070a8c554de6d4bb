// Conditions on a block's dimensions, as a `supports` declaration writes them: "D%8==0,L<=4".
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace deformdiff {

/// The first condition that does not hold, as written; empty if all hold. Conditions are separated by commas
/// (and): NAME [% NUMBER] OPERATOR NUMBER, operator one of == != < <= > >=. Throws InputError naming the
/// condition for anything else, and for a name that is not in `dimensions`.
std::string first_violated(const std::string& conditions,
                           const std::map<std::string, std::int64_t>& dimensions);

/// Throws InputError as first_violated does, whatever the sizes: for checking a declaration before any case
/// is there. Names allowed are N, S, M, D, Q, L, P.
void check_conditions(const std::string& conditions);

}  // namespace deformdiff
