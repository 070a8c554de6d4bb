// Reports of runs that were journalled: of one folder, of several made one, of one beside another.
#include "cli/cases_folder.h"
#include "cli/commands.h"
#include "cli/coverage.h"
#include "cli/known_cases.h"
#include "cli/output.h"
#include "core/error.h"
#include "engine/journal/merge.h"
#include "engine/journal/sum_of_runs.h"
#include "reports/against.h"
#include "reports/narrow_support.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

std::vector<std::string> blocks_of(const std::vector<JournalledRun>& runs) {
  std::set<std::string> names;
  for (const JournalledRun& run : runs) {
    for (const auto& [block, of_run] : run.blocks) names.insert(block);
  }
  return {names.begin(), names.end()};
}

/// Of a single part of a run the cases of the others are not missing, unless parts were to be joined.
Shard part_of(const Options& options, const std::vector<JournalledRun>& runs) {
  return options.command == "merge" || runs.size() > 1 ? Shard() : runs.front().run.shard;
}

/// The run, or the runs that were merged, as one report.
RunReport report_of(const Options& options, const std::filesystem::path& folder,
                    std::vector<std::string>& required) {
  const std::vector<JournalledRun> runs = read_journal(folder);
  if (runs.empty()) throw InputError(fmt::format("{}: no run was begun here", folder.string()));
  RunReport report;
  SumOfRuns sum = sum_of_runs(runs, folder, part_of(options, runs));
  report.session = std::move(sum.session);
  report.warnings = std::move(sum.notes);
  std::set<std::string> names;
  for (const JournalledRun& run : runs) {
    report.seed = run.run.stream.seed;
    report.only = run.run.stream.only;
    names.insert(run.run.required.begin(), run.run.required.end());
    if (!run.run.finished) {
      report.warnings.push_back(
          fmt::format("the run that {} began at {} is not finished: --resume goes on with it", run.run.host,
                      run.run.started));
    }
  }
  required.assign(names.begin(), names.end());
  report.trigger_classes = reachable_classes(blocks_of(runs), runs.front().run.stream.tiers);
  const auto cases = find_cases_folder(options.known, "--known");
  if (cases) KnownCases(*cases).mark(report.session.findings);
  report.known_fail = options.known_fail;
  warn_of_narrow_support(report);
  return report;
}

int show(const Options& options, const std::filesystem::path& folder) {
  Options as_run = options;
  RunReport report = report_of(options, folder, as_run.required);
  as_run.command = "fuzz";
  as_run.seed = report.seed;
  as_run.only = report.only;
  return finish(as_run, report);
}

}  // namespace

int run_report(const Options& options) {
  const std::filesystem::path& folder = options.files.front();
  if (options.against.empty()) return show(options, folder);
  for (const ReportTarget& target : options.reports) {
    if (target.kind == "terminal" && target.file.empty()) continue;
    throw InputError("--against: what is new and gone is told as text alone; leave out --report");
  }
  std::vector<std::string> ignored;
  const RunReport now = report_of(options, folder, ignored);
  const RunReport before = report_of(options, options.against, ignored);
  say(options, against_report(now, before));
  return 0;
}

int run_merge(const Options& options) {
  merge(options.files, options.output);
  return show(options, options.output);
}

}  // namespace deformdiff::cli
