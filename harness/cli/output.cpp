#include "cli/output.h"

#include "core/files.h"
#include "reports/exit_code.h"
#include "reports/report_kinds.h"

#include <cstdio>

namespace deformdiff::cli {

int finish(const Options& options, RunReport& report) {
  report.command = options.command;
  report.seed = options.seed;
  report.only = options.only;
  report.verbose = options.verbose;
  report.exit_code = decide_exit_code(report, options.required);
  const auto text_of = [&](const ReportTarget& target) {
    return find_report_kind(target.kind)->write(report);
  };
  // What can be shown is shown, also where a file cannot be written.
  for (const ReportTarget& target : options.reports) {
    if (target.file.empty()) std::fputs(text_of(target).c_str(), stdout);
  }
  for (const ReportTarget& target : options.reports) {
    if (!target.file.empty()) write_file(target.file, text_of(target));
  }
  return report.exit_code;
}

void say(const Options& options, const std::string& text) {
  if (!options.quiet) std::fputs(text.c_str(), stdout);
}

}  // namespace deformdiff::cli
