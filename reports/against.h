// One run beside another: what is new, gone, slower, sharper.
#pragma once

#include "reports/run_report.h"

#include <string>

namespace deformdiff {

/// For people, at most 80 columns wide. `before` is what `now` is compared with.
std::string against_report(const RunReport& now, const RunReport& before);

}  // namespace deformdiff
