#include "core/files.h"
#include "reports/causes.h"
#include "reports/html/drawings.h"
#include "reports/html/markup.h"
#include "reports/html/sections.h"
#include "reports/summary.h"
#include "reports/tally.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace deformdiff::html {
namespace {

/// What drawings and downloads of all findings may take, so that the page stays below 2 MB.
constexpr std::size_t kMostBytes = 1'200'000;

/// A case is part of the page up to this size.
constexpr std::size_t kInlineCase = 8000;

/// Beyond it a case shows nothing that people could take in.
constexpr std::int64_t kDrawnElements = 200'000;

std::optional<SavedCase> saved_case_of(const Finding& finding) {
  if (!finding.not_saved.empty() || finding.shrunk_elements > kDrawnElements) return std::nullopt;
  try {
    return read_case(finding.case_path);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

/// Whether the case's file is all there is to it.
bool is_one_file(const SavedCase& saved) {
  const auto is_inline = [](const Case& c) {
    return std::ranges::all_of(c.inputs, [](const NamedTensor& input) {
      const auto bytes = static_cast<std::int64_t>(input.tensor.storage().size());
      return bytes <= kInlineElements * static_cast<std::int64_t>(size_of(input.tensor.dtype()));
    });
  };
  return is_inline(saved.problem) && std::ranges::all_of(saved.earlier_calls, is_inline);
}

/// The sentence without the names in front, which the heading says.
std::string sentence_of(const Finding& finding) {
  const std::string names = fmt::format("{}: {}: ", finding.signature.subject, finding.signature.rule);
  const std::string& line = finding.one_line;
  return line.starts_with(names) ? line.substr(names.size()) : line;
}

std::string facts_of(const Finding& finding, bool of_a_run) {
  std::string facts;
  const auto add = [&](const std::string& fact) { facts += fmt::format("<li>{}</li>\n", escaped(fact)); };
  if (!of_a_run) {
    add(fmt::format("Seen in {}.", counted(finding.count, "case")));
  } else if (finding.count > 0) {
    add(fmt::format("Seen in {}, first in case {}.", counted(finding.count, "case"), finding.first_case));
  } else {
    add("Met while another was shrunk, in no case of the run itself.");
  }
  if (finding.evaluations > 0) {
    add(fmt::format("Shrunk from {} to {} numbers in {} evaluations{}.", finding.original_elements,
                    finding.shrunk_elements, finding.evaluations,
                    finding.minimal ? "; no single step is left" : ""));
  }
  if (finding.smallest && !finding.smallest->needs.empty()) {
    add(fmt::format("Only with {} among the inputs.", text_of(finding.smallest->needs)));
  }
  if (finding.earlier_calls > 0) add(fmt::format("Depends on {} earlier calls.", finding.earlier_calls));
  if (finding.reproduction_rate < 1) {
    add(finding.reproduction_runs > 0
            ? fmt::format("Flaky: seen in {:.3g} % of {} runs.", 100 * finding.reproduction_rate,
                          finding.reproduction_runs)
            : "Not run again: the time was up.");
  }
  if (!finding.excused_by.empty()) {
    add(fmt::format("No failure with {}: declare it if that is meant.", finding.excused_by));
  }
  return fmt::format("<ul class=\"facts\">\n{}</ul>\n", facts);
}

/// The command, and the case as a download where it is small.
std::string reproduction_of(const Finding& finding, const std::optional<SavedCase>& saved) {
  if (!finding.not_saved.empty()) {
    return fmt::format("<p class=\"facts\">Not saved: {}</p>\n", escaped(finding.not_saved));
  }
  std::string text = fmt::format("<pre tabindex=\"0\" aria-label=\"command that shows it again\">{}</pre>\n",
                                 escaped(replay_command(finding)));
  if (!saved || !is_one_file(*saved)) return text;
  const std::string json = read_file(finding.case_path);
  if (json.size() > kInlineCase) return text;
  return text + fmt::format(
                    "<p><a download=\"{}\" href=\"{}\">Download the case</a> "
                    "<span class=\"quiet\">({} bytes)</span></p>\n",
                    escaped(finding.case_path.filename().string()), data_uri(json), json.size());
}

std::string drawn(const Finding& finding, const std::optional<SavedCase>& saved) {
  if (!finding.worst || finding.worst->shape.empty()) return "";
  const bool has_values = finding.signature.rule == name_of(Verdict::kOutOfBound);
  std::string text = has_values ? interval_drawing(*finding.worst) : "";
  if (saved && saved->problem.block == "ms_deform_attn") {
    text += operator_drawing(saved->problem, *finding.worst);
  }
  text += position_drawing(*finding.worst);
  return text.empty() ? text : fmt::format("<div class=\"drawn\">\n{}</div>\n", text);
}

std::string card(const Finding& finding, std::size_t number, std::string_view drawn) {
  const Signature& s = finding.signature;
  return fmt::format(
      "<article class=\"card finding{}\" id=\"f{}\" aria-labelledby=\"f{}-h\">\n<h3 id=\"f{}-h\">"
      "{}. {} in {}</h3>\n"
      "<p class=\"where\">{}{}{}, {}{}</p>\n<p class=\"sentence\">{}</p>\n{}{}{}</article>\n",
      finding.excused_by.empty() ? "" : " excused", number, number, number, number, escaped(s.rule),
      escaped(s.subject), escaped(s.block), s.output.empty() ? "" : ", ", escaped(s.output),
      s.rule == name_of(Verdict::kBrokenRelation) ? "relation " : "",
      s.rule == name_of(Verdict::kBrokenRelation) ? escaped(s.element_class)
                                                  : escaped(s.element_class) + " element",
      escaped(sentence_of(finding)),
      finding.status == FindingStatus::kNew
          ? ""
          : fmt::format("<p class=\"status\">{}</p>\n", escaped(status_text(finding))),
      finding.group.empty() ? "" : fmt::format("<p class=\"group\">{}</p>\n", escaped(finding.group)), drawn);
}

std::string index_of(const std::vector<const Finding*>& findings) {
  std::string rows;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const Finding& finding = *findings[i];
    rows += fmt::format(
        "<tr><td class=\"n\">{0}</td><td><a href=\"#f{0}\">{1}</a></td><td>{2}</td><td>{3}</td>"
        "<td class=\"n\">{4}</td></tr>\n",
        i + 1, escaped(finding.signature.subject), escaped(finding.signature.rule),
        escaped(sentence_of(finding)), finding.count);
  }
  return table("All of them, in the order below",
               heading_cell("", true) + heading_cell("implementation") + heading_cell("rule") +
                   heading_cell("what was wrong") + heading_cell("cases", true),
               "<tbody>" + rows + "</tbody>", "stack");
}

/// How to read the drawings, once.
constexpr std::string_view kKey =
    "<p class=\"quiet\">A green band is what correct arithmetic can give. On a map, dots are sampling points "
    "and frames the four cells around each; dashed cells lie outside the map and count as 0; a cell's number "
    "is its value.</p>\n";

}  // namespace

std::string findings_section(const RunReport& report) {
  std::vector<const Finding*> findings;
  for (const Cause& cause : causes_of(report.session.findings)) {
    findings.insert(findings.end(), cause.begin(), cause.end());
  }
  std::ranges::stable_partition(findings, [](const Finding* each) { return each->excused_by.empty(); });
  constexpr std::size_t kFew = 3;
  std::string text = findings.size() > kFew ? index_of(findings) : "";
  if (std::ranges::any_of(findings, [](const Finding* each) { return each->worst.has_value(); }))
    text += kKey;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const Finding& finding = *findings[i];
    const std::optional<SavedCase> saved = saved_case_of(finding);
    std::string shown = drawn(finding, saved) + reproduction_of(finding, saved);
    bytes += shown.size();
    if (bytes > kMostBytes) {
      shown = "<p class=\"quiet\">Not drawn, to keep the page small.</p>\n" + reproduction_of(finding, {});
    }
    text += card(finding, i + 1, shown + facts_of(finding, report.command == "fuzz"));
  }
  return section("findings",
                 findings.size() == 1 ? "The finding" : fmt::format("{} findings", findings.size()), text);
}

}  // namespace deformdiff::html
