#include "reports/html/markup.h"
#include "reports/html/sections.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::html {
namespace {

constexpr double kBarWidth = 130;

/// A number on a logarithmic scale as a bar; `first` and `last` are the powers of ten at its ends.
std::string bar(double value, double first, double last, const char* style, bool marks_one) {
  const auto place = [&](double power) {
    return std::clamp((power - first) / (last - first), 0.0, 1.0) * kBarWidth;
  };
  const double length = !(value > 0) ? 0 : std::isfinite(value) ? place(std::log10(value)) : kBarWidth;
  const std::string one =
      marks_one ? fmt::format("<path class=\"one\" d=\"M{} 0v12\"/>", coordinate(place(0))) : "";
  return fmt::format(
      "<svg class=\"bar\" aria-hidden=\"true\" width=\"{0}\" height=\"12\" viewBox=\"0 0 {0} 12\">"
      "<rect class=\"track\" y=\"2\" width=\"{0}\" height=\"8\"/>"
      "<rect class=\"{1}\" y=\"2\" width=\"{2}\" height=\"8\"/>{3}</svg>",
      kBarWidth, style, coordinate(length), one);
}

std::string ratio_of(const Scenario& stage) {
  return std::isfinite(stage.ratio) ? fmt::format("{:.3g}", stage.ratio) : "inf";
}

std::string stage_row(const Scenario& stage, bool is_first_wrong, bool shows_inherited) {
  const bool wrong = is_finding(stage.verdict);
  const char* const kind = wrong ? "wrong" : stage.verdict == Verdict::kAgree ? "" : "idle";
  std::string remarks =
      wrong ? fmt::format(" <span class=\"bad-text\">{}</span>", name_of(stage.verdict)) : "";
  if (is_first_wrong) remarks += " <span class=\"bad-text\">\u2190 diverges first</span>";
  if (stage.estimated) remarks += " <span class=\"quiet\">(estimated bound)</span>";
  if (!stage.reason.empty())
    remarks += fmt::format("<br/><span class=\"quiet\">{}</span>", escaped(stage.reason));
  // Powers of ten: a ratio from 1e-6 to 1e6 with 1 in the middle, an inherited error from rounding to all.
  std::string row = fmt::format(
      "<tr class=\"{}{}\"><td class=\"rail\"></td><th scope=\"row\">{}{}</th><td class=\"n\">{}{}</td>", kind,
      is_first_wrong ? " first" : "", escaped(stage.stage), remarks, ratio_of(stage),
      bar(stage.ratio, -6, 6, wrong ? "over" : "ok", true));
  if (shows_inherited) {
    row += fmt::format("<td class=\"n\">{}{}</td>",
                       stage.inherited > 0 ? fmt::format("{:.2g}", stage.inherited) : "",
                       bar(stage.inherited, -16, 0, "tb", false));
  }
  return row + "</tr>\n";
}

/// The stages of one run as a chain.
std::string chain(std::span<const Scenario> stages) {
  const auto first_wrong = std::ranges::find_if(stages, is_finding, &Scenario::verdict);
  const bool inherited =
      std::ranges::any_of(stages, [](const Scenario& stage) { return stage.inherited > 0; });
  std::string rows;
  for (auto stage = stages.begin(); stage != stages.end(); ++stage) {
    rows += stage_row(*stage, stage == first_wrong && stage->stage != "outputs", inherited);
  }
  std::string caption = fmt::format(
      "{}: its stages in the order in which they are computed. Error/bound: what the stage itself does to "
      "the inputs that it got; 1, the dashed line, is the edge of what is admissible.",
      escaped(stages.front().name));
  std::string head = "<td class=\"rail\"></td>" + heading_cell("stage") + heading_cell("error/bound", true);
  if (inherited) {
    caption += " Inherited: what came in from the stages before it, beside the largest value.";
    head += heading_cell("inherited", true);
  }
  return table(caption, head, "<tbody>" + rows + "</tbody>");
}

std::string summary_of(std::span<const Scenario> stages) {
  const auto wrong = std::ranges::find_if(stages, is_finding, &Scenario::verdict);
  const auto worst = std::ranges::max_element(stages, {}, &Scenario::ratio);
  if (wrong != stages.end()) {
    return fmt::format("<span class=\"bad-text\">{}</span> at {}", name_of(wrong->verdict),
                       escaped(wrong->stage));
  }
  const Verdict verdict = stages.back().verdict;
  return fmt::format("{}, nearest its bound at {} (error/bound {})", name_of(verdict), escaped(worst->stage),
                     ratio_of(*worst));
}

std::string audit_of(const RunReport& report) {
  std::string text;
  for (const AuditFinding& finding : report.audit) {
    text += fmt::format("<li><b>{}</b>: {}<br/><code>{}</code>{}</li>\n", escaped(finding.kind),
                        escaped(finding.detail), escaped(finding.line),
                        finding.scope.empty() ? "" : fmt::format(" in {}", escaped(finding.scope)));
  }
  return text.empty() ? text : fmt::format("<h3>What the graph shows</h3>\n<ul>\n{}</ul>\n", text);
}

std::string cause_of(const RunReport& report) {
  std::string text;
  if (!report.first_diverging_stage.empty()) {
    text += fmt::format("<p class=\"sentence\">First diverging stage: <b>{}</b></p>\n",
                        escaped(report.first_diverging_stage));
  }
  if (!report.cause.empty()) {
    text += fmt::format("<p class=\"sentence\">Cause: <b>{}</b></p>\n", escaped(report.cause));
  }
  for (const std::string& line : report.advice) text += fmt::format("<p>{}</p>\n", escaped(line));
  text += audit_of(report);
  return text.empty() ? text : fmt::format("<div class=\"card finding\">\n{}</div>\n", text);
}

}  // namespace

std::string stages_section(const RunReport& report) {
  const std::vector<Scenario>& all = report.scenarios;
  if (all.empty()) return "";
  std::string text = cause_of(report);
  std::vector<std::span<const Scenario>> runs;
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end =
        std::find_if(begin, all.end(), [&](const Scenario& each) { return each.name != begin->name; });
    runs.emplace_back(begin, end);
    begin = end;
  }
  // The runs that go wrong first, the first of them open; the rest are a line each.
  const auto agreeing = std::ranges::stable_partition(runs, [](std::span<const Scenario> run) {
    return std::ranges::any_of(run, is_finding, &Scenario::verdict);
  });
  for (auto run = runs.begin(); run != runs.end(); ++run) {
    const bool open = run == runs.begin() && run != agreeing.begin();
    text += fmt::format("<details{}><summary><b>{}</b>: {}</summary>\n{}</details>\n",
                        open ? " open=\"\"" : "", escaped(run->front().name), summary_of(*run), chain(*run));
  }
  return section("stages", "Stage by stage", text);
}

}  // namespace deformdiff::html
