// Findings by their causes.
#pragma once

#include "engine/finding.h"

#include <vector>

namespace deformdiff {

/// Findings of one cause: of one group, or that one declaration excuses, or a single one.
using Cause = std::vector<const Finding*>;

/// In the order of each one's first finding. Into the findings, which must outlive the result.
std::vector<Cause> causes_of(const std::vector<Finding>& findings);

}  // namespace deformdiff
