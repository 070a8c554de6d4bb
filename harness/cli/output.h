// Finishing a command: its reports written, its exit code decided.
#pragma once

#include "cli/options.h"
#include "core/error.h"
#include "reports/run_report.h"

namespace deformdiff::cli {

/// Decides the exit code, writes every report that was asked for, and returns the code. Throws InputError if
/// a report's file cannot be written.
int finish(const Options& options, RunReport& report);

/// The finding of a command that judges a case from a file and does not shrink it.
Finding judged_finding(Signature signature, const Case& c, const Comparison& comparison,
                       const std::filesystem::path& file);

/// The error's text, with the file that it is about in front unless it begins with that.
std::string about(const std::filesystem::path& file, const InputError& error);

/// Prints to standard output unless --quiet.
void say(const Options& options, const std::string& text);

}  // namespace deformdiff::cli
