// Generates cases, runs and judges implementations, shrinks and saves what is found.
#include "catalog/canaries.h"
#include "cli/cases_folder.h"
#include "cli/commands.h"
#include "cli/coverage.h"
#include "cli/fuzz_plan.h"
#include "cli/interrupt.h"
#include "cli/known_cases.h"
#include "cli/output.h"
#include "cli/resumed.h"
#include "cli/session_options.h"
#include "cli/version.h"
#include "core/files.h"
#include "engine/journal/session_journal.h"
#include "engine/session.h"
#include "engine/stopwatch.h"
#include "reports/narrow_support.h"
#include "reports/progress.h"

#include <algorithm>
#include <cstdio>
#include <span>

namespace deformdiff::cli {
namespace {

std::vector<std::string> blocks_of(const std::vector<PlannedSession>& sessions) {
  std::vector<std::string> names;
  for (const PlannedSession& session : sessions) names.push_back(session.entry->block->name());
  return names;
}

}  // namespace

namespace {

RunRecord record_of(const Options& options) {
  RunRecord run;
  run.stream = {options.seed, options.tiers, options.only};
  run.shard = options.shard;
  run.command_line = options.words;
  run.required = options.required;
  run.version = version_line();
  return run;
}

RunJournal journal_of(const Options& options) {
  return options.resume ? RunJournal::resume(options.out, record_of(options))
                        : RunJournal::begin(options.out, record_of(options));
}

/// Implementations that get the cases of these blocks: each is a part of a timed run.
std::size_t parts_of(std::span<const PlannedSession> sessions) {
  std::size_t parts = 0;
  for (const PlannedSession& session : sessions) parts += session.subjects.size();
  return parts;
}

/// For sessions[at], of a run that has spent `spent` seconds of its time: of what is left, its share among
/// those that are to come; of a block that was begun before, the rest of its share.
double seconds_for(std::span<const PlannedSession> sessions, std::size_t at, double time, double spent,
                   double of_block) {
  const auto share_of = [&](std::span<const PlannedSession> among) {
    return static_cast<double>(sessions[at].subjects.size()) / static_cast<double>(parts_of(among));
  };
  const double left = std::max(0.0, time - spent);
  if (of_block == 0) return left * share_of(sessions.subspan(at));
  return std::clamp(time * share_of(sessions) - of_block, 0.0, left);
}

/// What the run came to is reported also where this cannot be written.
std::string finish_journal(RunJournal& run) {
  try {
    run.finish();
    return "";
  } catch (const JournalError& error) {
    return error.what();
  }
}

/// They are in the program of the built-in implementations, which an installation for Python lacks.
bool has_canaries(const Options& options) {
  return options.canaries && std::filesystem::exists(worker_path());
}

/// Every block of the plan, one after the other.
SessionReport fuzz_blocks(const Options& options, const std::vector<PlannedSession>& sessions,
                          double planning, RunJournal& run) {
  SessionReport all;
  const auto may_go_on = [&] { return !interrupted() && all.broken_off.empty(); };
  ProgressLine progress(stderr, options.progress, progress_plan(sessions, options));
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    const auto& [entry, subjects, stages, cases] = sessions[i];
    progress.begin(i);
    SessionOptions session = session_options_of(options, cases);
    if (has_canaries(options)) session.canaries = canaries_of(*entry, options.tiers);
    SessionJournal journal(run, *entry, session);
    if (options.time_seconds) {
      session.time_limit_seconds =
          seconds_for(sessions, i, *options.time_seconds, planning + run.seconds(), journal.seconds_before());
    }
    // Of what is not come to any more, earlier sittings may know something.
    const bool is_done = !may_go_on() || journal.is_finished(subjects) || session.time_limit_seconds == 0.0;
    append(all, is_done ? journal.earlier_report() : fuzz(*entry, subjects, session, progress, &journal));
  }
  all.environment.insert(run.run().environment.begin(), run.run().environment.end());
  if (may_go_on()) all.broken_off = finish_journal(run);
  return all;
}

}  // namespace

int run_fuzz(const Options& typed) {
  const Stopwatch watch;
  const Options options = as_resumed(typed);
  const std::vector<PlannedSession> sessions = plan_sessions(options);
  const auto cases = find_cases_folder(options.known, "--known");
  const KnownCases known = cases ? KnownCases(*cases) : KnownCases();
  catch_interrupts();
  refuse_source_cases(options.out);
  RunJournal run = journal_of(options);
  RunReport report;
  report.known_fail = options.known_fail;
  report.session = fuzz_blocks(options, sessions, watch.seconds(), run);
  if (!report.session.broken_off.empty()) {
    std::fprintf(stderr, "deformdiff: %s\n", report.session.broken_off.c_str());
  }
  known.mark(report.session.findings);
  if (interrupted()) report.warnings.emplace_back(kInterruptedWarning);
  if (options.canaries && !has_canaries(options)) {
    report.warnings.emplace_back(
        "this run has no canaries: deformdiff-worker, which holds them, is not installed");
  }
  warn_of_narrow_support(report);
  report.trigger_classes = reachable_classes(blocks_of(sessions), options.tiers);
  if (is_first_look(options)) {
    report.notes.emplace_back(
        "That was a first look, with few cases of what is slow: --cases N takes N of each block, --time 10m "
        "as "
        "many as it can, --verbose shows a table of each block.");
  }
  return finish(options, report);
}

}  // namespace deformdiff::cli
