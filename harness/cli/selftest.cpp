// Faults and controls: detection power, false alarms, sharpness.
#include "catalog/addresses.h"
#include "catalog/canaries.h"
#include "catalog/catalog.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session_options.h"
#include "cli/sharpness.h"
#include "engine/session.h"
#include "engine/stopwatch.h"
#include "reports/progress.h"
#include "reports/summary.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr std::int64_t kCasesForCorrect = 1000;
// Each try of a fault that hangs takes the whole case timeout: the size it shrinks to is not worth more.
constexpr double kShrinkSeconds = 10;

/// Those that do the block and show in this tier.
std::vector<SubjectSpec> named_with(const std::string& prefix, const BlockEntry& entry,
                                    const std::string& tier) {
  std::vector<std::string> names;
  for (const SubjectInfo& info : faults_and_controls().subjects) {
    const bool wanted = info.name.starts_with(prefix) && info.blocks.contains(entry.block->name());
    if (wanted && tier_of(info, *entry.generator) == tier) names.push_back(info.name);
  }
  return names.empty() ? std::vector<SubjectSpec>() : parse_subjects(names);
}

SessionReport run_session(const Options& options, const BlockEntry& entry, std::vector<SubjectSpec> subjects,
                          bool first_finding, std::int64_t cases) {
  if (subjects.empty()) return {};
  SessionOptions session = session_options_of(options);
  session.first_finding = first_finding;
  session.shrink_budget_seconds = kShrinkSeconds;
  // Nothing of ours is slow: what takes longer hangs.
  if (!session.limits.case_timeout_seconds) session.limits.case_timeout_seconds = kCaseTimeout;
  session.cases = options.cases.value_or(cases);
  ProgressLine progress(stderr, options.progress, {{{entry.block->name(), session.cases}}, {}});
  return fuzz(entry, std::move(subjects), session, progress);
}

/// Every fault on the usual cases, and those that only a tier shows that must be named, on that one.
SessionReport run_faults(const Options& options, const BlockEntry& entry) {
  SessionReport report = run_session(options, entry, named_with("fault/", entry, ""), true, kCasesForFaults);
  for (const Tier& tier : entry.generator->tiers()) {
    Options of_tier = options;
    of_tier.tiers = {tier.name};
    append(report,
           run_session(of_tier, entry, named_with("fault/", entry, tier.name), true, kCasesOfNamedTier));
  }
  return report;
}

/// A fault's first finding; nullptr if it was not found.
const Finding* finding_of(const SessionReport& session, const std::string& subject) {
  const Finding* first = nullptr;
  for (const Finding& finding : session.findings) {
    const bool earlier = first == nullptr || finding.first_case < first->first_case;
    if (finding.signature.subject == subject && earlier) first = &finding;
  }
  return first;
}

/// What was found of it, beside what must be.
Canary canary_of(const SessionReport& session, const SubjectReport& subject) {
  Canary canary;
  canary.name = subject.name;
  canary.block = subject.block;
  canary.trigger = subject.info.trigger;
  canary.expected = subject.info.expected;
  canary.enough = canary.reached = subject.cases;
  canary.judged = tally_of(subject).judged();
  const Finding* const finding = finding_of(session, subject.name);
  canary.cases.add(0,
                   finding != nullptr ? finding->first_case + 1 : static_cast<std::uint64_t>(subject.cases));
  canary.found = finding != nullptr ? 1 : 0;
  if (finding != nullptr) canary.verdict = finding->signature.rule;
  return canary;
}

/// How many faults were missed, found with another verdict than theirs, or could not be run.
std::int64_t wrong_ones(const std::vector<Canary>& canaries) {
  return std::ranges::count(canaries, false, &Canary::got_what_is_due);
}

void print_faults(const Options& options, const SessionReport& session, const std::vector<Canary>& canaries) {
  std::string text =
      fmt::format("{:<35} {:<18} {:>7} {:>17}\n", "fault", "verdict", "case", "shrunk elements");
  for (const Canary& canary : canaries) {
    const Finding* finding = finding_of(session, canary.name);
    if (finding == nullptr) {
      text += fmt::format("{:<35} NOT FOUND in {} cases\n", canary.name, canary.cases.size());
      continue;
    }
    text += fmt::format("{:<35} {:<18} {:>7} {:>6} of {:>7}{}\n", canary.name, finding->signature.rule,
                        finding->first_case, finding->shrunk_elements, finding->original_elements,
                        canary.got_what_is_due() ? "" : fmt::format("\n  EXPECTED {}", canary.expected));
  }
  text += fmt::format("{} of {} faults found with the verdict they must get.\n\n",
                      std::ssize(canaries) - wrong_ones(canaries), canaries.size());
  say(options, text);
}

void print_correct(const Options& options, const SessionReport& session) {
  std::string text = fmt::format("{:<35} {:>7} {:>7} {:>8} {:>9} {:>8}\n", "correct implementation", "cases",
                                 "judged", "alarms", "median", "max");
  for (const SubjectReport& subject : session.subjects) {
    const Tally tally = tally_of(subject);
    text += fmt::format("{:<35} {:>7} {:>7} {:>8} {:>9.3g} {:>8.3g}\n", subject.name, subject.cases,
                        tally.judged(), tally.found, subject.ratios.quantile(0.5), subject.ratios.max());
  }
  say(options, text + fmt::format("{} false alarms.\n\n", tally_of(session).found));
}

std::string first_text(const std::optional<std::uint64_t>& first) {
  return first ? fmt::format("case {}", *first) : std::string("never");
}

void print_sharpness(const Options& options, const BlockEntry& entry, std::int64_t cases) {
  std::string text = fmt::format("{:<12} {:>6} {:>6} {:>16} {:>16} {:>14}\n", "injected", "error", "cases",
                                 "typical, caught", "all, caught", "first caught");
  std::string terms;
  for (const std::string& name : {std::string("cpu"), std::string("composite")}) {
    Subject subject = open_subject(parse_subject(name), run_limits_of(options));
    const Sharpness s = measure_sharpness(subject, entry, options.seed, cases, options.threads, kMemoryLimit);
    for (std::size_t i = 0; i < kInjected.size(); ++i) {
      text += fmt::format("{:<12} {:>6.0e} {:>6} {:>7} of {:>5} {:>7} of {:>5} {:>14}\n", name, kInjected[i],
                          s.cases, s.typical_caught[i], s.typical_cases, s.caught[i], s.cases,
                          first_text(s.first_caught[i]));
    }
    for (const auto& [term, count] : s.dominant_terms)
      terms += fmt::format("  {:<12} {:<32} {:>6} cases\n", name, term, count);
  }
  if (!terms.empty()) {
    text += fmt::format(
        "\nWhere a relative error of {:.0e} stays inside the bound, the bound's largest term is\n{}",
        kInjected.back(), terms);
  }
  say(options, text);
}

}  // namespace

int run_selftest(const Options& options) {
  const BlockEntry& entry = blocks().front();
  const Stopwatch watch;
  RunReport report;
  const SessionReport faults = run_faults(options, entry);
  std::vector<Canary> canaries;
  for (const SubjectReport& subject : faults.subjects) canaries.push_back(canary_of(faults, subject));
  print_faults(options, faults, canaries);

  std::vector<SubjectSpec> correct = parse_subjects({});
  std::ranges::move(named_with("control/", entry, ""), std::back_inserter(correct));
  report.session = run_session(options, entry, std::move(correct), false, kCasesForCorrect);
  print_correct(options, report.session);

  print_sharpness(options, entry, options.cases.value_or(kCasesForCorrect));
  report.session.seconds = watch.seconds();
  const bool alarmed = tally_of(report.session).found > 0;
  report.exit_code = wrong_ones(canaries) > 0 || alarmed ? 1 : 0;
  report.session.canaries = std::move(canaries);
  Options others = options;
  std::erase_if(others.reports, [](const ReportTarget& target) {
    return target.kind == "terminal" && target.file.empty();  // what was printed is that
  });
  write_reports(others, report);
  return report.exit_code;
}

}  // namespace deformdiff::cli
