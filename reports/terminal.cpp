#include "reports/canaries.h"
#include "reports/layout.h"
#include "reports/matrix.h"
#include "reports/run_report.h"
#include "reports/tally.h"

#include <algorithm>
#include <functional>
#include <set>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

constexpr std::size_t kLongestName = 33;

/// Of these subjects, in their order, each once.
std::vector<std::string> names_of(const std::vector<SubjectReport>& subjects) {
  std::vector<std::string> names;
  for (const SubjectReport& subject : subjects) {
    if (std::ranges::find(names, subject.name) == names.end()) names.push_back(subject.name);
  }
  return names;
}

std::size_t block_count(const std::vector<SubjectReport>& subjects) {
  std::set<std::string> blocks;
  for (const SubjectReport& subject : subjects) blocks.insert(subject.block);
  return blocks.size();
}

/// A line an implementation; headed by the block where there are several.
std::string table(const std::vector<SubjectReport>& subjects) {
  std::vector<std::string> names = names_of(subjects);
  names.emplace_back("subject");
  const ShortNames shown(names, kLongestName);
  const bool several_blocks = block_count(subjects) > 1;
  std::string text = fmt::format("{:<{}} {:>7} {:>7} {:>6} {:>10}  {}\n", "subject", shown.width(), "cases",
                                 "agree", "found", "not judged", "error/bound");
  std::string block;
  for (const SubjectReport& subject : subjects) {
    if (several_blocks && subject.block != block) text += fmt::format("\n{}\n", block = subject.block);
    const Tally tally = tally_of(subject);
    text +=
        fmt::format("{:<{}} {:>7} {:>7} {:>6} {:>10}  {}\n", shown.of(subject.name), shown.width(),
                    subject.cases, tally.agree, tally.found, tally.not_judged, ratio_text(subject.ratios));
  }
  return text + shown.legend();
}

/// Each reason once, with how many cases it kept from being judged, the most frequent first.
std::string reasons(const std::vector<SubjectReport>& subjects, std::size_t longest_name) {
  const ShortNames shown(names_of(subjects), longest_name);
  struct Reason {
    std::string text;
    std::int64_t cases = 0;
    std::vector<std::string> who;
  };
  std::vector<Reason> all;
  for (const SubjectReport& subject : subjects) {
    for (const auto& [text, cases] : subject.not_judged) {
      auto reason = std::ranges::find(all, text, &Reason::text);
      if (reason == all.end()) reason = all.insert(all.end(), {text, 0, {}});
      reason->cases += cases;
      const std::string& name = shown.of(subject.name);
      if (std::ranges::find(reason->who, name) == reason->who.end()) reason->who.push_back(name);
    }
  }
  std::ranges::stable_sort(all, std::greater(), &Reason::cases);
  const std::size_t width = all.empty() ? 0 : fmt::format("{}", all.front().cases).size();
  std::string text = all.empty() ? "" : "\nNot judged:\n";
  for (const Reason& reason : all) {
    constexpr std::size_t kNamed = 3;
    const auto count = static_cast<std::int64_t>(reason.who.size());
    const std::string who = reason.who.size() <= kNamed ? fmt::format("{}", fmt::join(reason.who, ", "))
                                                        : counted(count, "implementation");
    text += wrapped(fmt::format("  {:>{}} ", reason.cases, width), fmt::format("{} ({})", reason.text, who),
                    width + 5);
  }
  return text;
}

std::string finding_text(const Finding& finding) {
  std::string text = fmt::format(
      "\n{} ({})\n", finding.one_line,
      finding.count > 0 ? counted(finding.count, "case")
                        : "met while another was shrunk or by guidance, in no case of the stream");
  if (finding.evaluations > 0) {
    text += fmt::format("  shrunk from {} to {} elements in {} evaluations{}\n", finding.original_elements,
                        finding.shrunk_elements, finding.evaluations,
                        finding.minimal ? "; no single step is left" : "");
  }
  if (finding.smallest && !finding.smallest->needs.empty()) {
    text += fmt::format("  only with {} among the inputs\n", text_of(finding.smallest->needs));
  }
  if (!finding.excused_by.empty()) {
    text += fmt::format("  no failure with {}: declare it if that is meant\n", finding.excused_by);
  }
  if (!finding.not_saved.empty()) {
    text += fmt::format("  not saved: {}\n", finding.not_saved);
  } else {
    text += fmt::format("  deformdiff replay {}\n", finding.case_path.string());
  }
  return text;
}

/// Those that a declaration would excuse come last and apart.
std::string findings(const RunReport& report) {
  std::string text, excused;
  for (const Finding& finding : report.session.findings) {
    (finding.excused_by.empty() ? text : excused) += finding_text(finding);
  }
  return excused.empty() ? text : text + "\nNo failure under another declaration:\n" + excused;
}

/// The stages of one replay or recorded run. The stage that is at fault has a line of its own if it wants
/// one; that of a run which agrees is cut.
std::string scenario_row(std::span<const Scenario> stages, const ShortNames& names) {
  const auto wrong = std::ranges::find_if(stages, is_finding, &Scenario::verdict);
  const auto worst = std::ranges::max_element(stages, {}, &Scenario::ratio);
  const auto estimated = std::ranges::count_if(stages, &Scenario::estimated);
  const Scenario& shown = wrong != stages.end() ? *wrong : *worst;
  std::string row = fmt::format("{:<{}} {:<18} {:>6} {:>4}  {:<8.3g}", names.of(shown.name), names.width(),
                                name_of(shown.verdict), stages.size(), estimated, shown.ratio);
  const std::string inherited =
      shown.inherited > 0 ? fmt::format(" (inherited error {:.2g})", shown.inherited) : "";
  const std::string stage = shown.stage + inherited;
  const std::size_t left = kColumns - row.size() - 1;
  if (stage.size() <= left) {
    row += fmt::format(" {}\n", stage);
  } else if (wrong != stages.end()) {
    row += fmt::format("\n{}", wrapped("    ", stage, 4));
  } else if (shown.stage.size() <= left) {
    row += fmt::format(" {}\n", shown.stage);
  } else {
    row += fmt::format(" ..{}\n", shown.stage.substr(shown.stage.size() - (left - 2)));
  }
  return row + (shown.reason.empty() ? "" : wrapped("    ", shown.reason, 4));
}

/// A line a replay or recorded run, with the stages that are at fault beneath.
std::string scenario_table(const RunReport& report) {
  if (report.scenarios.empty()) return "";
  constexpr std::size_t kLongestScenario = 22;
  std::vector<std::string> all{"scenario"};
  for (const Scenario& each : report.scenarios) all.push_back(each.name);
  const ShortNames names(all, kLongestScenario);
  std::string text = fmt::format("\n{:<{}} {:<18} {:>6} {:>4}  {:<8} {}\n", "scenario", names.width(),
                                 "verdict", "stages", "est.", "ratio", "stage");
  for (auto begin = report.scenarios.begin(); begin != report.scenarios.end();) {
    const auto end = std::find_if(begin, report.scenarios.end(),
                                  [&](const Scenario& each) { return each.name != begin->name; });
    text += scenario_row({begin, end}, names);
    begin = end;
  }
  text += names.legend();
  text +=
      "est.: stages with an estimated bound; stage: the first at fault, or the one\n"
      "nearest its bound.\n";
  if (report.first_diverging_stage.empty()) return text;
  return text + fmt::format("\nFirst diverging stage: {}\n", report.first_diverging_stage);
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

/// A line a block that had guided cases.
std::string guided_text(const SessionReport& session) {
  std::string text;
  for (const GuidedStream& guided : session.guided) {
    text += wrapped("  ",
                    fmt::format("{}: {} in {:.0f} s, {} failed in {}; {} of trigger classes first hit by "
                                "them",
                                guided.block, counted(guided.cases, "case"), guided.seconds, guided.found,
                                counted(guided.judged, "judged run"), counted(guided.pairs, "pair")),
                    4);
  }
  return text.empty() ? "" : "\nGuided, beside the stream:\n" + text;
}

std::string final_sentence(const RunReport& report) {
  const std::vector<SubjectReport>& subjects = report.session.subjects;
  Tally total;
  std::set<std::string> agreeing;
  for (const SubjectReport& subject : subjects) {
    const Tally tally = tally_of(subject);
    total.agree += tally.agree;
    total.found += tally.found;
    total.not_judged += tally.not_judged;
    if (tally.agree > 0) agreeing.insert(subject.name);
  }
  const std::string not_judged = fmt::format("{} not judged.", total.not_judged);
  if (total.found > 0 || !report.session.findings.empty()) {
    return fmt::format("{} found in {} of {}; {}",
                       counted(static_cast<std::int64_t>(report.session.findings.size()), "failure"),
                       total.found, counted(total.judged(), "judged run"), not_judged);
  }
  if (total.agree == 0) {
    return fmt::format("Nothing was judged: none of {} could show anything.",
                       counted(total.not_judged, "run"));
  }
  return fmt::format("Nothing found: {} agree{} in {}; {}",
                     counted(static_cast<std::int64_t>(agreeing.size()), "implementation"),
                     agreeing.size() == 1 ? "s" : "", counted(total.agree, "run"), not_judged);
}

}  // namespace

std::string terminal_report(const RunReport& report) {
  const std::vector<SubjectReport>& subjects = report.session.subjects;
  const bool several_blocks = block_count(subjects) > 1;
  std::string text;
  if (!several_blocks || report.verbose) text += table(subjects);
  if (several_blocks && report.verbose) text += "\n";
  if (several_blocks) text += block_matrix(subjects);
  text += reasons(subjects, several_blocks ? kLongestMatrixName : kLongestName) + scenario_table(report) +
          audit_text(report) + findings(report) + guided_text(report.session) + canaries_text(report.session);
  if (!report.ignored.empty())
    text += fmt::format("\nIgnored tensors: {}\n", fmt::join(report.ignored, ", "));
  if (!report.read_as_int64.empty())
    text += fmt::format("\nRead as int64: {}\n", fmt::join(report.read_as_int64, ", "));
  text += "\n";
  for (const std::string& warning : report.warnings) text += wrapped("Warning: ", warning + ".", 2);
  text += wrapped("", final_sentence(report), 0);
  for (const std::string& note : report.notes) text += wrapped("", note, 0);
  if (!report.only.empty()) {
    text += fmt::format("Only cases that meet {} were drawn: --only '{}' --seed {}\n", report.only,
                        report.only, report.seed);
  }
  return text;
}

}  // namespace deformdiff
