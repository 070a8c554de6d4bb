// The oracles' own floating types.
#pragma once

#include <type_traits>

namespace deformdiff {

/// What an oracle computes in for a subject that computes in T, float or double: at least 11 bits more.
template <typename T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

}  // namespace deformdiff
