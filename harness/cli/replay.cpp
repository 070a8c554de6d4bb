// Saved cases, judged again.
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/origin.h"
#include "cli/output.h"
#include "cli/saved_run.h"
#include "cli/session_options.h"
#include "engine/excuse.h"
#include "engine/findings.h"
#include "engine/judge.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <map>
#include <sstream>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// What the verdict says about what the case expected.
std::string against_expectation(const SavedCase& saved, const Judgement& judgement) {
  const Verdict verdict = judgement.comparison.verdict;
  const bool open = saved.expectation != name_of(Verdict::kAgree);
  if (verdict == Verdict::kAgree) return open ? "gone" : "as expected";
  if (!is_finding(verdict)) return "not judged";
  if (!open) return "DIFFERS: expected agree";
  return saved.expectation == name_of(verdict)
             ? "reproduces"
             : fmt::format("fails differently: expected {}", saved.expectation);
}

class Replayer {
 public:
  explicit Replayer(const Options& options) : options_(options) {}

  void replay(const std::filesystem::path& path) {
    SavedRun run = load_saved_run(path, options_);
    if (!run.warning.empty()) report_.warnings.push_back(run.warning);
    for (SubjectSpec& spec : run.subjects) {
      std::istringstream prefix(options_.worker_prefix);
      spec.command.argv.insert(spec.command.argv.begin(), std::istream_iterator<std::string>(prefix), {});
      Subject& subject = opened(std::move(spec));
      record(run, subject, judge_again(subject, run, options_.threads));
    }
  }

  RunReport& report() { return report_; }

 private:
  Subject& opened(SubjectSpec spec) {
    const auto known = subjects_.find(spec.name);
    if (known != subjects_.end()) return known->second;
    const std::string name = spec.name;
    return subjects_.emplace(name, open_subject(std::move(spec), run_limits_of(options_))).first->second;
  }

  SubjectReport& report_of(const Subject& subject, const std::string& block) {
    auto& reports = report_.session.subjects;
    const auto known = std::ranges::find_if(reports, [&](const SubjectReport& report) {
      return report.name == subject.spec.name && report.block == block;
    });
    if (known != reports.end()) return *known;
    SubjectReport& report = reports.emplace_back();
    report.name = subject.spec.name;
    report.block = block;
    report.info = subject.info;
    return report;
  }

  void record(const SavedRun& run, const Subject& subject, const JudgedAgain& judged) {
    const Judgement& judgement = judged.judgement;
    SubjectReport& counts = report_of(subject, run.saved.problem.block);
    const Comparison& comparison = judgement.comparison;
    count(counts, comparison);
    counts.run_seconds += judgement.outcome.seconds;
    if (comparison.verdict == Verdict::kAgree || comparison.verdict == Verdict::kOutOfBound) {
      counts.ratios.add(std::vector<float>{static_cast<float>(comparison.ratio)}, comparison.ratio);
    }
    if (subject.runner) report_.session.environment = subject.runner->environment();
    if (is_finding(comparison.verdict)) {
      Finding finding = judged_finding(judgement.signature, run.saved.problem, comparison, run.path);
      finding.earlier_calls = run.saved.earlier_calls.size();
      Excuse excuse = excuse_of(*run.entry, run.saved.problem, judgement, subject, options_.threads);
      if (speaks_for_itself(excuse)) finding.excused_by = std::move(excuse.declaration);
      report_.session.findings.push_back(std::move(finding));
    }
    const std::string runs = judged.runs > 1 ? fmt::format(", after {} runs", judged.runs) : "";
    const std::string outcome = against_expectation(run.saved, judgement) + runs;
    say(options_, fmt::format("{}: {}: {} ({})\n", run.path.string(), subject.spec.name,
                              name_of(comparison.verdict), outcome));
    report_.replayed.push_back(
        {run.path.string(), run.saved.problem.block, subject.spec.name, comparison.verdict,
         comparison.verdict == Verdict::kAgree ? "" : comparison.reason, outcome, judgement.outcome.seconds});
  }

  const Options& options_;
  std::map<std::string, Subject> subjects_;
  RunReport report_;
};

}  // namespace

int run_replay(const Options& options) {
  if (options.origin) return run_origin(options);
  const Stopwatch watch;
  Replayer replayer(options);
  catch_interrupts();
  for (auto path = options.files.begin(); path != options.files.end() && !interrupted(); ++path) {
    replayer.replay(*path);
  }
  say(options, "\n");
  RunReport& report = replayer.report();
  if (interrupted()) report.warnings.emplace_back(kInterruptedWarning);
  report.session.seconds = watch.seconds();
  return finish(options, report);
}

}  // namespace deformdiff::cli
