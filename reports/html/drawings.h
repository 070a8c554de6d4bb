// What a finding's wrong element looks like.
#pragma once

#include "core/case_file.h"
#include "engine/finding.h"

#include <string>

namespace deformdiff::html {

/// The admissible interval and what came instead, on one scale; empty where they are no finite numbers.
std::string interval_drawing(const WrongElement& worst);

/// Where the element stands in the last two axes of its output, with the other wrong ones there. A large
/// output is drawn in blocks of several elements; one of a single element is not drawn.
std::string position_drawing(const WrongElement& worst);

/// The operator's case: of each level that matters the map as the wrong element sees it, the sampling points
/// and the four cells around each; then the points as a table. Empty where the element is none of the case's
/// output.
std::string operator_drawing(const Case& c, const WrongElement& worst);

}  // namespace deformdiff::html
