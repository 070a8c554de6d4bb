// The type that an oracle computes in, for a subject that computes in T, float or double.
#pragma once

#include <type_traits>

namespace deformdiff {

/// At least 11 bits wider than T.
template <typename T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

/// Relative allowance for the oracle's own rounding, in the value and in the bound (README, "The oracle's own
/// error"): at most 6 u_oracle / u of the bound for the value, and a few hundred 2^-53 for the bound itself.
template <typename T>
constexpr double kOwnError = std::is_same_v<T, float> ? 0x1p-20 : 0x1p-8;

}  // namespace deformdiff
