// Implementations that were given little of what was drawn.
#pragma once

#include "reports/run_report.h"

namespace deformdiff {

/// Warns of each implementation that does not support so many of a block's cases that fewer than a tenth were
/// judged, and says how to draw others.
void warn_of_narrow_support(RunReport& report);

}  // namespace deformdiff
