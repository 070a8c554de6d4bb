// The kinds of report that --report may ask for.
#pragma once

#include "reports/run_report.h"

#include <span>
#include <string>
#include <string_view>

namespace deformdiff {

struct ReportKind {
  std::string_view name;
  std::string (*write)(const RunReport& report);
  /// What goes to standard output wherever the report is written to; null if nothing does.
  std::string (*announce)(const RunReport& report);
};

std::span<const ReportKind> report_kinds();

/// nullptr if there is none of that name.
const ReportKind* find_report_kind(std::string_view name);

}  // namespace deformdiff
