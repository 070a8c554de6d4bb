// Generates cases, runs and judges implementations, shrinks and saves what is found.
#include "catalog/canaries.h"
#include "cli/commands.h"
#include "cli/fuzz_plan.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/resumed.h"
#include "cli/session_options.h"
#include "cli/version.h"
#include "engine/journal/session_journal.h"
#include "engine/session.h"
#include "reports/narrow_support.h"
#include "reports/progress.h"

#include <algorithm>
#include <cstdio>

namespace deformdiff::cli {

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

/// Of the time that is left, a share for each block that is left; of a block that was begun before, the rest
/// of its share.
double seconds_for(double time, double spent, double of_block, std::size_t blocks, std::size_t blocks_left) {
  const double left = std::max(0.0, time - spent);
  if (of_block == 0) return left / static_cast<double>(blocks_left);
  return std::clamp(time / static_cast<double>(blocks) - of_block, 0.0, left);
}

}  // namespace

int run_fuzz(const Options& typed) {
  const Options options = as_resumed(typed);
  const std::vector<PlannedSession> sessions = plan_sessions(options);
  catch_interrupts();
  refuse_source_cases(options.out);
  RunJournal run = journal_of(options);
  RunReport report;
  {
    ProgressLine progress(stderr, options.progress, progress_plan(sessions, options));
    for (std::size_t i = 0; i < sessions.size() && !interrupted() && report.session.broken_off.empty(); ++i) {
      progress.begin(i);
      SessionOptions session = session_options_of(options, sessions[i].cases);
      if (options.canaries) session.canaries = canaries_of(*sessions[i].entry, options.tiers);
      SessionJournal journal(run, *sessions[i].entry, session);
      if (options.time_seconds) {
        session.time_limit_seconds =
            seconds_for(*options.time_seconds, run.seconds(), journal.seconds_before(), sessions.size(),
                        sessions.size() - i);
      }
      const bool is_done = journal.is_finished(sessions[i].subjects) || session.time_limit_seconds == 0.0;
      append(report.session,
             is_done ? journal.earlier_report()
                     : fuzz(*sessions[i].entry, sessions[i].subjects, session, progress, &journal));
    }
    if (!interrupted() && report.session.broken_off.empty()) run.finish(report.session.environment);
  }
  if (!report.session.broken_off.empty()) {
    std::fprintf(stderr, "deformdiff: %s\n", report.session.broken_off.c_str());
  }
  if (interrupted()) report.warnings.emplace_back(kInterruptedWarning);
  warn_of_narrow_support(report);
  if (is_first_look(options)) {
    report.notes.emplace_back(
        "That was a first look, with few cases of what is slow: --cases N takes N of each block, --time 10m "
        "as "
        "many as it can, --verbose shows a table of each block.");
  }
  return finish(options, report);
}

}  // namespace deformdiff::cli
