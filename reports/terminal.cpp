#include "reports/run_report.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

struct Tally {
  std::int64_t agree = 0, found = 0, not_judged = 0;
};

Tally tally_of(const SubjectReport& subject) {
  Tally tally;
  for (const auto& [verdict, cases] : subject.verdicts) {
    (verdict == Verdict::kAgree ? tally.agree
     : is_finding(verdict)      ? tally.found
                                : tally.not_judged) += cases;
  }
  return tally;
}

std::string ratio_text(const SubjectReport& subject) {
  if (subject.ratios.total() == 0) return "-";
  return std::isfinite(subject.ratios.max()) ? fmt::format("{:.3g}", subject.ratios.max()) : "inf";
}

/// A line an implementation; headed by the block where there are several.
std::string table(const std::vector<SubjectReport>& subjects) {
  std::size_t width = 7;
  bool several_blocks = false;
  for (const SubjectReport& subject : subjects) {
    width = std::max(width, subject.name.size());
    several_blocks = several_blocks || subject.block != subjects.front().block;
  }
  std::string text = fmt::format("{:<{}}  {:>8} {:>8} {:>8} {:>10}  {}\n", "subject", width, "cases", "agree",
                                 "found", "not judged", "max error/bound");
  std::string block;
  for (const SubjectReport& subject : subjects) {
    if (several_blocks && subject.block != block) text += fmt::format("\n{}\n", block = subject.block);
    const Tally tally = tally_of(subject);
    text += fmt::format("{:<{}}  {:>8} {:>8} {:>8} {:>10}  {}\n", subject.name, width, subject.cases,
                        tally.agree, tally.found, tally.not_judged, ratio_text(subject));
  }
  return text;
}

/// Each reason once, with how many cases of which subjects it kept from being judged.
std::string reasons(const std::vector<SubjectReport>& subjects) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const SubjectReport& subject : subjects) {
    for (const auto& [reason, cases] : subject.not_judged) {
      by_reason[reason].push_back(fmt::format("{} {}", subject.name, cases));
    }
  }
  std::string text = by_reason.empty() ? "" : "\nNot judged:\n";
  for (const auto& [reason, who] : by_reason)
    text += fmt::format("  {} ({})\n", reason, fmt::join(who, ", "));
  return text;
}

std::string finding_text(const RunReport& report, const Finding& finding) {
  std::string text =
      fmt::format("\n{} ({} {})\n", finding.one_line, finding.count, finding.count == 1 ? "case" : "cases");
  if (finding.evaluations > 0) {
    text += fmt::format("  shrunk from {} to {} elements in {} evaluations{}\n", finding.original_elements,
                        finding.shrunk_elements, finding.evaluations,
                        finding.minimal ? "; no single step is left" : "");
  }
  if (!finding.excused_by.empty()) {
    text += fmt::format("  no failure with {}: declare it if that is meant\n", finding.excused_by);
  }
  if (report.command != "judge" && report.command != "check")
    text += fmt::format("  deformdiff replay {}\n", finding.case_path.string());
  return text;
}

/// Those that a declaration would excuse come last and apart.
std::string findings(const RunReport& report) {
  std::string text, excused;
  for (const Finding& finding : report.session.findings) {
    (finding.excused_by.empty() ? text : excused) += finding_text(report, finding);
  }
  return excused.empty() ? text : text + "\nNo failure under another declaration:\n" + excused;
}

/// A line a replay or recorded run, with the stages that are at fault beneath.
std::string scenario_table(const RunReport& report) {
  std::string text;
  std::size_t width = 8;
  for (const Scenario& each : report.scenarios) width = std::max(width, each.name.size());
  for (auto begin = report.scenarios.begin(); begin != report.scenarios.end();) {
    const auto end = std::find_if(begin, report.scenarios.end(),
                                  [&](const Scenario& each) { return each.name != begin->name; });
    const auto worst =
        std::max_element(begin, end, [](const Scenario& a, const Scenario& b) { return a.ratio < b.ratio; });
    const auto estimated = std::count_if(begin, end, std::mem_fn(&Scenario::estimated));
    const auto wrong =
        std::find_if(begin, end, [](const Scenario& each) { return is_finding(each.verdict); });
    const Scenario& shown = wrong != end ? *wrong : *worst;
    text += fmt::format("{:<{}}  {:<18} {:>6} {:>9}  {:<9.3g} {}{}\n", begin->name, width,
                        name_of(shown.verdict), end - begin, estimated, shown.ratio, shown.stage,
                        shown.inherited > 0 ? fmt::format(" (inherited error {:.2g})", shown.inherited) : "");
    if (!shown.reason.empty()) text += fmt::format("{:<{}}  {}\n", "", width, shown.reason);
    begin = end;
  }
  if (text.empty()) return "";
  return fmt::format("\n{:<{}}  {:<18} {:>6} {:>9}  {:<9} {}\n", "scenario", width, "verdict", "stages",
                     "estimated", "ratio", "first stage at fault, or the one nearest its bound") +
         text +
         (report.first_diverging_stage.empty()
              ? ""
              : fmt::format("\nFirst diverging stage: {}\n", report.first_diverging_stage));
}

std::string audit_text(const RunReport& report) {
  std::string text = report.audit.empty() ? "" : "\nThe graph:\n";
  for (const AuditFinding& finding : report.audit) {
    text += fmt::format("  {}: {}\n    {}{}\n", finding.kind, finding.detail, finding.line,
                        finding.scope.empty() ? "" : fmt::format("\n    in {}", finding.scope));
  }
  if (!report.cause.empty()) text += fmt::format("\nCause: {}\n", report.cause);
  for (const std::string& line : report.advice) text += fmt::format("  {}\n", line);
  return text;
}

std::string final_sentence(const RunReport& report) {
  std::int64_t cases = 0;
  Tally total;
  std::size_t judged_subjects = 0;
  for (const SubjectReport& subject : report.session.subjects) {
    const Tally tally = tally_of(subject);
    cases += subject.cases;
    total.agree += tally.agree;
    total.found += tally.found;
    total.not_judged += tally.not_judged;
    if (tally.agree + tally.found > 0) ++judged_subjects;
  }
  if (total.found > 0 || !report.session.findings.empty()) {
    return fmt::format("{} found in {} of {} judged runs; {} not judged.\n",
                       report.session.findings.size() == 1
                           ? "1 failure"
                           : fmt::format("{} failures", report.session.findings.size()),
                       total.found, total.agree + total.found, total.not_judged);
  }
  if (total.agree == 0)
    return fmt::format("Nothing was judged: none of {} runs could show anything.\n", cases);
  return fmt::format(
      "Nothing found: {} agree in {} runs; {} not judged.\n",
      judged_subjects == 1 ? "1 implementation" : fmt::format("{} implementations", judged_subjects),
      total.agree, total.not_judged);
}

}  // namespace

std::string terminal_report(const RunReport& report) {
  std::string text = table(report.session.subjects) + reasons(report.session.subjects) +
                     scenario_table(report) + audit_text(report) + findings(report);
  if (!report.ignored.empty())
    text += fmt::format("\nIgnored tensors: {}\n", fmt::join(report.ignored, ", "));
  if (!report.read_as_int64.empty())
    text += fmt::format("\nRead as int64: {}\n", fmt::join(report.read_as_int64, ", "));
  text += "\n";
  for (const std::string& warning : report.warnings) text += fmt::format("Warning: {}.\n", warning);
  text += final_sentence(report);
  if (!report.only.empty()) {
    text += fmt::format("Only cases that meet {} were drawn: --only '{}' --seed {}\n", report.only,
                        report.only, report.seed);
  }
  return text;
}

}  // namespace deformdiff
