#include "cli/output.h"

#include "core/files.h"

#include <cmath>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::cli {

int finish(const Options& options, RunReport& report) {
  report.command = options.command;
  report.seed = options.seed;
  report.exit_code = decide_exit_code(report, options.required);
  const auto text_of = [&](const ReportTarget& target) {
    return target.kind == "json" ? json_report(report) : terminal_report(report);
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

Finding judged_finding(Signature signature, const Case& c, const Comparison& comparison,
                       const std::filesystem::path& file) {
  Finding finding;
  finding.signature = std::move(signature);
  if (std::isfinite(comparison.ratio) && comparison.ratio > 0) {
    finding.decade = static_cast<int>(std::floor(std::log10(comparison.ratio)));
  }
  finding.count = 1;
  finding.case_path = file;
  finding.original_elements = finding.shrunk_elements = element_count(c);
  finding.one_line =
      fmt::format("{}: {}: {}", finding.signature.subject, finding.signature.rule, comparison.reason);
  return finding;
}

std::string about(const std::filesystem::path& file, const InputError& error) {
  const std::string text = error.what();
  return text.starts_with(file.string() + ": ") ? text : fmt::format("{}: {}", file.string(), text);
}

void say(const Options& options, const std::string& text) {
  if (!options.quiet) std::fputs(text.c_str(), stdout);
}

}  // namespace deformdiff::cli
