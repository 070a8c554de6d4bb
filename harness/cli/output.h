// Finishing a command: its reports written, its exit code decided.
#pragma once

#include "cli/options.h"
#include "reports/run_report.h"

namespace deformdiff::cli {

/// Writes every report that was asked for; that of GitHub Actions, where it has no file, to the step's
/// summary if there is one. The report's exit code is decided already. Throws InputError if a file cannot be
/// written.
void write_reports(const Options& options, RunReport& report);

/// Decides the exit code, writes every report that was asked for, and returns the code. Throws InputError if
/// a report's file cannot be written.
int finish(const Options& options, RunReport& report);

/// Prints to standard output unless --quiet.
void say(const Options& options, const std::string& text);

}  // namespace deformdiff::cli
