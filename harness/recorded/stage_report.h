// Judged stages as rows of a report, under the names of the layout that they came in.
#pragma once

#include "blocks/layouts/names.h"
#include "engine/stage_judge.h"
#include "reports/run_report.h"

#include <string>

namespace deformdiff {

/// A row for each stage and one for the whole, under the scenario's name. The first stage at fault is the
/// report's first diverging one unless it has one already. The comparison's text is put into the layout's
/// names.
void add_scenario(const std::string& name, StagedComparison& judged, const LayoutNames& names,
                  RunReport& report);

}  // namespace deformdiff
