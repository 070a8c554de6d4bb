// What `explain` says of a case of a block with stages.
#pragma once

#include "engine/judge.h"

#include <string>

namespace deformdiff::cli {

/// Terms of the bound, largest first, and what the oracle has to say of the element.
std::string explanation_text(const Explanation& explanation, double bound);

/// The first stage at fault with its own and its inherited error, the terms of its bound, and the same stage
/// of a float64 run on the same numbers, which tells rounding from a wrong formula.
std::string explain_stages(Subject& subject, const BlockEntry& entry, const Case& c, const Outcome& outcome,
                           int threads);

}  // namespace deformdiff::cli
