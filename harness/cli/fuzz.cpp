// Generates cases, runs and judges implementations, shrinks and saves what is found.
#include "cli/cases_folder.h"
#include "cli/commands.h"
#include "cli/fuzz_plan.h"
#include "cli/interrupt.h"
#include "cli/known_cases.h"
#include "cli/output.h"
#include "cli/session_options.h"
#include "engine/session.h"
#include "engine/stopwatch.h"
#include "reports/narrow_support.h"
#include "reports/progress.h"

#include <algorithm>

namespace deformdiff::cli {

int run_fuzz(const Options& options) {
  const std::vector<PlannedSession> sessions = plan_sessions(options);
  const auto cases = find_cases_folder(options.known, "--known");
  const KnownCases known = cases ? KnownCases(*cases) : KnownCases();
  catch_interrupts();
  RunReport report;
  report.known_fail = options.known_fail;
  {
    ProgressLine progress(stderr, options.progress, progress_plan(sessions, options));
    const Stopwatch watch;
    for (std::size_t i = 0; i < sessions.size() && !interrupted(); ++i) {
      progress.begin(i);
      SessionOptions session = session_options_of(options, sessions[i].cases);
      // What is left of the time is shared by the blocks that are left.
      if (options.time_seconds) {
        session.time_limit_seconds =
            std::max(0.0, *options.time_seconds - watch.seconds()) / static_cast<double>(sessions.size() - i);
      }
      append(report.session, fuzz(*sessions[i].entry, sessions[i].subjects, session, progress));
    }
  }
  known.mark(report.session.findings);
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
