#include "reports/canaries.h"
#include "reports/causes.h"
#include "reports/colour.h"
#include "reports/layout.h"
#include "reports/matrix.h"
#include "reports/run_report.h"
#include "reports/summary.h"
#include "reports/tally.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

constexpr std::size_t kLongestName = 33;

std::size_t block_count(const std::vector<SubjectReport>& subjects) {
  std::set<std::string> blocks;
  for (const SubjectReport& subject : subjects) blocks.insert(subject.block);
  return blocks.size();
}

/// A line an implementation; headed by the block where there are several.
std::string table(const std::vector<SubjectReport>& subjects, bool colour) {
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
    const std::string found = fmt::format("{:>6}", tally.found);
    text += fmt::format("{:<{}} {:>7} {:>7} {} {:>10}  {}\n", shown.of(subject.name), shown.width(),
                        subject.cases, tally.agree, coloured(found, Colour::kBad, colour && tally.found > 0),
                        tally.not_judged, ratio_text(subject.ratios));
  }
  return text + shown.legend();
}

/// Each reason once, with how many cases it kept from being judged.
std::string reasons(const std::vector<SubjectReport>& subjects, std::size_t longest_name) {
  const ShortNames shown(names_of(subjects), longest_name);
  const std::vector<Reason> all = reasons_of(subjects);
  const std::size_t width = all.empty() ? 0 : fmt::format("{}", all.front().cases).size();
  std::string text = all.empty() ? "" : "\nNot judged:\n";
  for (const Reason& reason : all) {
    constexpr std::size_t kNamed = 3;
    std::vector<std::string> names;
    for (const std::string& subject : reason.subjects) names.push_back(shown.of(subject));
    const std::string who = names.size() <= kNamed
                                ? fmt::format("{}", fmt::join(names, ", "))
                                : counted(static_cast<std::int64_t>(names.size()), "implementation");
    text += wrapped(fmt::format("  {:>{}} ", reason.cases, width), fmt::format("{} ({})", reason.text, who),
                    width + 5);
  }
  return text;
}

/// Of implementations without a bound: in how many cases each relation was judged.
std::string relations(const std::vector<SubjectReport>& subjects, std::size_t longest_name) {
  const ShortNames shown(names_of(subjects), longest_name);
  std::string text;
  for (const SubjectReport& subject : subjects) {
    std::vector<std::string> counts;
    for (const auto& [name, relation] : subject.relations) {
      counts.push_back(fmt::format("{} {}", name, relation.judged));
    }
    if (counts.empty()) continue;
    text += wrapped("  ",
                    fmt::format("{}, {} cases of {}: {}", shown.of(subject.name), subject.estimated,
                                subject.block, fmt::join(counts, ", ")),
                    4);
  }
  return text.empty() ? "" : "\nJudged by relations, with estimated noise, in so many cases:\n" + text;
}

/// Trigger classes that the run did not reach, on two lines.
std::string coverage(const RunReport& report) {
  const std::vector<TriggerClass> missing = never_reached(report);
  if (missing.empty()) return "";
  constexpr std::size_t kWidth = 2 * kColumns - 45;
  std::string text = fmt::format("{} of {} trigger classes:", missing.size(), report.trigger_classes.size());
  std::size_t named = 0;
  for (; named < missing.size() && text.size() + missing[named].name.size() < kWidth; ++named) {
    text += fmt::format("{} {}", named > 0 ? "," : "", missing[named].name);
  }
  if (named < missing.size()) text += fmt::format(" and {} more", missing.size() - named);
  const std::string lines = wrapped("Never reached: ", text, 2);
  return fmt::format("\n{}", coloured(lines, Colour::kQuiet, report.colour));
}

std::string finding_text(const Finding& finding, bool colour) {
  const std::string seen = finding.count > 0
                               ? counted(finding.count, "case")
                               : "met while another was shrunk or by guidance, in no case of the stream";
  const std::string line = wrapped("", fmt::format("{} ({})", finding.one_line, seen), 2);
  std::string text = fmt::format("\n{}", coloured(line, Colour::kBad, colour));
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
  if (finding.status != FindingStatus::kNew) text += fmt::format("  {}\n", status_text(finding));
  if (!finding.not_saved.empty()) {
    text += fmt::format("  not saved: {}\n", finding.not_saved);
  } else {
    text += fmt::format("  {}\n", replay_command(finding));
  }
  return text;
}

/// Those of one group together, under its sentence; those that are known, and those that a declaration would
/// excuse, where they are in no group, come last and apart.
std::string findings(const RunReport& report) {
  std::string text, known, excused;
  for (const Cause& cause : causes_of(report.session.findings)) {
    const Finding& first = *cause.front();
    const bool all_known =
        std::ranges::all_of(cause, [](const Finding* each) { return each->status == FindingStatus::kKnown; });
    const bool apart = first.group.empty() && !first.excused_by.empty();
    std::string& part = all_known ? known : apart ? excused : text;
    if (!first.group.empty()) part += "\n" + wrapped("", first.group, 0);
    for (const Finding* finding : cause) part += finding_text(*finding, report.colour);
  }
  if (!known.empty()) text += "\nKnown:\n" + known;
  return excused.empty() ? text : text + "\nNo failure under another declaration:\n" + excused;
}

/// Cases that an implementation ran again in another worker: that no signal came of itself is not known.
std::string retries(const std::vector<SubjectReport>& subjects) {
  std::string text;
  for (const SubjectReport& subject : subjects) {
    if (subject.retries.empty()) continue;
    std::map<Verdict, std::int64_t> verdicts;
    for (const Retry& retry : subject.retries) ++verdicts[retry.verdict];
    std::vector<std::string> counts;
    for (const auto& [verdict, cases] : verdicts)
      counts.push_back(fmt::format("{} {}", cases, name_of(verdict)));
    const Retry& first = subject.retries.front();
    const bool several = subject.retries.size() > 1;
    text += wrapped(
        "Warning: ",
        fmt::format("{}: on case {}{} of {} its worker was {}, and another ran {} again: {}.", subject.name,
                    first.index, several ? fmt::format(", and {} more,", subject.retries.size() - 1) : "",
                    subject.block, first.lost_worker, several ? "them" : "it",
                    several ? fmt::format("{}", fmt::join(counts, ", ")) : name_of(first.verdict)),
        2);
  }
  return text;
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
  const std::string first = fmt::format("First diverging stage: {}\n", report.first_diverging_stage);
  return fmt::format("{}\n{}", text, coloured(first, Colour::kBad, report.colour));
}

std::string audit_text(const RunReport& report) {
  std::string text = report.audit.empty() ? "" : "\nThe graph:\n";
  for (const AuditFinding& finding : report.audit) {
    text += fmt::format("  {}: {}\n    {}{}\n", finding.kind, finding.detail, finding.line,
                        finding.scope.empty() ? "" : fmt::format("\n    in {}", finding.scope));
  }
  if (!report.cause.empty()) {
    const std::string cause = fmt::format("Cause: {}\n", report.cause);
    text += fmt::format("\n{}", coloured(cause, Colour::kBad, report.colour));
  }
  for (const std::string& line : report.advice) text += wrapped("  ", line, 2);
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

/// Of findings some of which are kept; empty if all are new.
std::string status_sentence(const std::vector<Finding>& findings) {
  std::map<FindingStatus, std::int64_t> counts;
  for (const Finding& finding : findings) ++counts[finding.status];
  if (counts[FindingStatus::kNew] == static_cast<std::int64_t>(findings.size())) return "";
  return fmt::format("Of these {} new, {} known, {}.\n", counts[FindingStatus::kNew],
                     counts[FindingStatus::kKnown],
                     counted(counts[FindingStatus::kRegression], "regression"));
}

}  // namespace

std::string terminal_report(const RunReport& report) {
  const std::vector<SubjectReport>& subjects = report.session.subjects;
  const bool several_blocks = block_count(subjects) > 1;
  std::string text;
  if (!several_blocks || report.verbose) text += table(subjects, report.colour);
  if (several_blocks && report.verbose) text += "\n";
  if (several_blocks) text += block_matrix(subjects);
  const std::size_t longest_name = several_blocks ? kLongestMatrixName : kLongestName;
  text += reasons(subjects, longest_name) + relations(subjects, longest_name) + coverage(report) +
          scenario_table(report) + audit_text(report) + findings(report) + guided_text(report.session) +
          canaries_text(report.session);
  if (!report.ignored.empty())
    text += fmt::format("\nIgnored tensors: {}\n", fmt::join(report.ignored, ", "));
  if (!report.read_as_int64.empty())
    text += fmt::format("\nRead as int64: {}\n", fmt::join(report.read_as_int64, ", "));
  text += "\n" + retries(subjects);
  for (const std::string& warning : report.warnings) {
    text += coloured(wrapped("Warning: ", warning + ".", 2), Colour::kNote, report.colour);
  }
  const Colour colour = report.exit_code == 0 ? Colour::kGood : Colour::kBad;
  text += coloured(wrapped("", final_sentence(report), 0), colour, report.colour);
  text += status_sentence(report.session.findings);
  for (const std::string& note : report.notes) text += wrapped("", note, 0);
  if (!report.only.empty()) {
    text += fmt::format("Only cases that meet {} were drawn: --only '{}' --seed {}\n", report.only,
                        report.only, report.seed);
  }
  return text;
}

}  // namespace deformdiff
