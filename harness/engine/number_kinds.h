// The kinds of numbers that arithmetic treats apart, and which of them a failure needs.
#pragma once

#include "core/case.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace deformdiff {

enum class NumberKind : std::uint8_t {
  kNaN,
  kInfinity,
  kHuge,  ///< the product of two such numbers overflows
  kTiny,  ///< the product of two such numbers is below the smallest normal one; 0 is none
};

using NumberKinds = std::set<NumberKind>;

/// Kinds of the numbers in the case's inputs of floating types; none of ordinary numbers.
NumberKinds kinds_in(const Case& c);

NumberKinds without(const NumberKinds& kinds, const NumberKinds& taken);

/// The case with a number of kind `by`, or with 1, in place of every number of these kinds.
Case with_replaced(Case c, const NumberKinds& kinds, std::optional<NumberKind> by);

/// Of the kinds in the case those without which it does not fail.
NumberKinds kinds_needed(const Case& c, const std::function<bool(const Case&)>& fails);

/// Two failing cases and the kinds that each needs.
struct FailingCase {
  Case problem;
  NumberKinds needs;
};

/// Whether something else makes them fail: they need other kinds, and none fails with the other's in place of
/// its own.
bool fail_apart(const FailingCase& a, const FailingCase& b, const std::function<bool(const Case&)>& fails);

/// "NaN", "infinities and huge numbers"; "ordinary numbers" of none.
std::string text_of(const NumberKinds& kinds);

}  // namespace deformdiff
