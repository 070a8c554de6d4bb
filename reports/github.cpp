// What GitHub Actions shows of a run. Formats: docs.github.com, "Workflow commands for GitHub Actions".
#include "reports/canaries.h"
#include "reports/run_report.h"
#include "reports/summary.h"
#include "reports/tally.h"
#include "reports/valid_text.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

std::string replaced(const std::string& text, std::span<const std::pair<char, std::string_view>> by) {
  std::string result;
  for (const char c : valid_text(text)) {
    const auto other = std::ranges::find(by, c, &std::pair<char, std::string_view>::first);
    if (other == by.end()) {
      result += c;
    } else {
      result += other->second;
    }
  }
  return result;
}

/// As the message of a workflow command.
std::string message(const std::string& text) {
  static constexpr std::array<std::pair<char, std::string_view>, 2> kEscapes{{{'%', "%25"}, {'\n', "%0A"}}};
  return replaced(text, kEscapes);
}

/// As a property of one.
std::string property(const std::string& text) {
  static constexpr std::array<std::pair<char, std::string_view>, 4> kEscapes{
      {{'%', "%25"}, {'\n', "%0A"}, {':', "%3A"}, {',', "%2C"}}};
  return replaced(text, kEscapes);
}

/// In a table's cell or a line of Markdown, where nothing in it is markup.
std::string plain(const std::string& text) {
  static constexpr std::array<std::pair<char, std::string_view>, 11> kEscapes{{{'|', "\\|"},
                                                                               {'\n', " "},
                                                                               {'*', "\\*"},
                                                                               {'_', "\\_"},
                                                                               {'`', "\\`"},
                                                                               {'[', "\\["},
                                                                               {']', "\\]"},
                                                                               {'#', "\\#"},
                                                                               {'\\', "\\\\"},
                                                                               {'<', "&lt;"},
                                                                               {'&', "&amp;"}}};
  return replaced(text, kEscapes);
}

std::string results_table(const std::vector<SubjectReport>& subjects) {
  std::string text =
      "\n| block | implementation | cases | agree | found | not judged | error/bound |\n"
      "|---|---|--:|--:|--:|--:|--:|\n";
  for (const SubjectReport& subject : subjects) {
    const Tally tally = tally_of(subject);
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", plain(subject.block), plain(subject.name),
                    subject.cases, tally.agree, tally.found, tally.not_judged, ratio_text(subject.ratios));
  }
  return text;
}

std::string findings_list(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("\n- {} ({})\n", plain(finding.one_line), counted(finding.count, "case"));
    if (finding.status != FindingStatus::kNew) text += fmt::format("  {}\n", plain(status_text(finding)));
    if (!finding.group.empty()) text += fmt::format("  {}\n", plain(finding.group));
    if (!finding.excused_by.empty()) {
      text += fmt::format("  No failure with {}: declare it if that is meant.\n", plain(finding.excused_by));
    }
    text += finding.not_saved.empty() ? fmt::format("\n  ```sh\n  {}\n  ```\n", replay_command(finding))
                                      : fmt::format("  Not saved: {}\n", plain(finding.not_saved));
  }
  return text.empty() ? text : "\n### Findings\n" + text;
}

std::string check_text(const RunReport& report) {
  std::string text;
  if (!report.first_diverging_stage.empty()) {
    text += fmt::format("\nFirst diverging stage: **{}**\n", plain(report.first_diverging_stage));
  }
  if (!report.cause.empty()) text += fmt::format("\nCause: **{}**\n", plain(report.cause));
  for (const std::string& line : report.advice) text += fmt::format("\n{}\n", plain(line));
  return text;
}

std::string canaries_text(const std::vector<Canary>& canaries) {
  std::string text;
  for (const std::string& sentence : canary_failures(canaries))
    text += fmt::format("- {}\n", plain(sentence));
  return text.empty() ? text : "\n### Canaries that did not get the verdict they must get\n\n" + text;
}

}  // namespace

std::string github_annotations(const RunReport& report) {
  std::string text;
  for (const Finding& finding : report.session.findings) {
    const bool counts = finding.status != FindingStatus::kKnown || report.known_fail;
    const std::string title = fmt::format("{} in {}", finding.signature.rule, finding.signature.subject);
    std::string lines = finding.one_line;
    if (finding.not_saved.empty()) lines += fmt::format("\n{}", replay_command(finding));
    text += fmt::format("::{} file={},title={}::{}\n", counts ? "error" : "notice",
                        property(finding.case_path.string()), property(title), message(lines));
  }
  for (const std::string& warning : report.warnings) text += fmt::format("::warning::{}\n", message(warning));
  return text;
}

std::string github_report(const RunReport& report) {
  std::string text = fmt::format("## deformdiff {}\n\n{}\n", report.command, plain(final_sentence(report)));
  for (const std::string& warning : report.warnings) {
    text += fmt::format("\n**Warning:** {}.\n", plain(warning));
  }
  text += check_text(report) + findings_list(report.session.findings) +
          canaries_text(report.session.canaries) + results_table(report.session.subjects);
  const std::vector<Reason> reasons = reasons_of(report.session.subjects);
  if (!reasons.empty()) text += "\n### Not judged\n\n";
  for (const Reason& reason : reasons) {
    text += fmt::format("- {} {} ({})\n", reason.cases, plain(reason.text),
                        plain(fmt::format("{}", fmt::join(reason.subjects, ", "))));
  }
  return text;
}

}  // namespace deformdiff
