// The exit code of a run that came to its end. The others, 2 and 3, are what main() makes of exceptions.
#pragma once

#include "reports/run_report.h"

#include <string>
#include <vector>

namespace deformdiff {

/// 0 something agreed, or failed as is known, and nothing else was found; 1 findings that are new or
/// regressions, known ones where the report says so, or one of `required` was not run, or a canary survived
/// or was blamed; 4 nothing was judged, where a vacuous case counts as agreeing in a replay. Reasons for 1
/// without a finding are added to the warnings.
int decide_exit_code(RunReport& report, const std::vector<std::string>& required);

}  // namespace deformdiff
