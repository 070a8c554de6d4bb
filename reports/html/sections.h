// The parts of the page, each empty where the run has nothing for it.
#pragma once

#include "reports/run_report.h"

#include <string>

namespace deformdiff::html {

/// Each finding with its drawing, the command that shows it again and its case.
std::string findings_section(const RunReport& report);

/// `check`, and `judge` of deep blocks: the stages of each run in order, with the first at fault marked; what
/// the graph shows, the cause and cures.
std::string stages_section(const RunReport& report);

/// A line an implementation and block, with the distribution of error / bound; why cases were not judged.
std::string results_section(const RunReport& report);

std::string replayed_section(const RunReport& report);
std::string canaries_section(const RunReport& report);

/// Where errors sit, on axes and maps.
std::string places_section(const RunReport& report);

std::string coverage_section(const RunReport& report);

/// Where the time went, and what the run was.
std::string run_section(const RunReport& report);

}  // namespace deformdiff::html
