// Steps that make elements simpler.
#pragma once

#include "generators/shrink/elements.h"
#include "generators/shrink/steps.h"

#include <vector>

namespace deformdiff {

/// Each of `ways` on each of `ranges`, range by range.
Step ways_on(std::vector<ElementRange> ranges, std::vector<Simplify> ways);

/// Chunks of half the range, a quarter, ... by each of `ways`: delta debugging; down to chunks of a few
/// elements, or (`single`) from there to single ones.
void add_chunks(ElementRange range, const std::vector<Simplify>& ways, bool single, Steps& steps);

/// Each element of the range by each of `ways`.
Step one_by_one(ElementRange range, std::vector<Simplify> ways);

}  // namespace deformdiff
