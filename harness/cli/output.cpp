#include "cli/output.h"

#include "core/files.h"
#include "reports/colour.h"
#include "reports/exit_code.h"
#include "reports/report_kinds.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// Where GitHub Actions wants the summary of a step; empty elsewhere.
std::filesystem::path step_summary() {
  const char* const path = std::getenv("GITHUB_STEP_SUMMARY");
  return path == nullptr ? "" : path;
}

/// Behind what the step's other commands have written there.
void append_to(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::app | std::ios::binary);
  file << text << std::flush;
  if (!file) throw InputError(fmt::format("{}: cannot be written to", path.string()));
}

bool is_for_step_summary(const ReportTarget& target) {
  return target.kind == "github" && target.file.empty() && !step_summary().empty();
}

}  // namespace

void write_reports(const Options& options, RunReport& report) {
  report.command = options.command;
  report.seed = options.seed;
  report.only = options.only;
  report.verbose = options.verbose;
  report.colour = wants_colour(::fileno(stdout));
  // What can be shown is shown, also where a file cannot be written.
  for (const ReportTarget& target : options.reports) {
    const ReportKind& kind = *find_report_kind(target.kind);
    if (kind.announce != nullptr) std::fputs(kind.announce(report).c_str(), stdout);
    if (target.file.empty() && !is_for_step_summary(target)) std::fputs(kind.write(report).c_str(), stdout);
  }
  report.colour = false;
  for (const ReportTarget& target : options.reports) {
    const ReportKind& kind = *find_report_kind(target.kind);
    if (!target.file.empty()) write_file(target.file, kind.write(report));
    if (is_for_step_summary(target)) append_to(step_summary(), kind.write(report));
  }
}

int finish(const Options& options, RunReport& report) {
  report.exit_code = decide_exit_code(report, options.required);
  write_reports(options, report);
  return report.exit_code;
}

void say(const Options& options, const std::string& text) {
  if (!options.quiet) std::fputs(text.c_str(), stdout);
}

}  // namespace deformdiff::cli
