#include "reports/html/sections.h"

#include "reports/canaries.h"
#include "reports/html/charts.h"
#include "reports/html/markup.h"
#include "reports/summary.h"
#include "reports/tally.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::html {
namespace {

std::string result_row(const SubjectReport& subject) {
  const Tally tally = tally_of(subject);
  return fmt::format(
      "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n{}\">{}</td>"
      "<td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
      escaped(subject.name), subject.cases, tally.agree, tally.found > 0 ? " bad" : "", tally.found,
      tally.not_judged, ratio_text(subject.ratios),
      ratio_chart(subject.ratios, fmt::format("{} in {}", subject.name, subject.block)));
}

std::string reasons_table(const std::vector<SubjectReport>& subjects) {
  std::string rows;
  for (const Reason& reason : reasons_of(subjects)) {
    rows += fmt::format("<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>\n", reason.cases,
                        escaped(reason.text), escaped(fmt::format("{}", fmt::join(reason.subjects, ", "))));
  }
  if (rows.empty()) return "";
  return table("Cases that were not judged, and why: they count neither for nor against an implementation",
               heading_cell("cases", true) + heading_cell("reason") + heading_cell("implementations"),
               "<tbody>" + rows + "</tbody>");
}

}  // namespace

std::string results_section(const RunReport& report) {
  const std::vector<SubjectReport>& subjects = report.session.subjects;
  if (subjects.empty()) return "";
  std::string body;
  for (auto subject = subjects.begin(); subject != subjects.end(); ++subject) {
    if (subject == subjects.begin() || subject->block != std::prev(subject)->block) {
      body += subject == subjects.begin() ? "<tbody>" : "</tbody>\n<tbody>";
      body += fmt::format("<tr><th class=\"block\" colspan=\"7\" scope=\"rowgroup\">{}</th></tr>\n",
                          escaped(subject->block));
    }
    body += result_row(*subject);
  }
  const std::string results = table(
      "Error/bound is an element's error beside the largest that correct arithmetic can have: 1, the dashed "
      "line, is the edge. A bar is an octave, its height the logarithm of the number of elements.",
      heading_cell("implementation") + heading_cell("cases", true) + heading_cell("agree", true) +
          heading_cell("found", true) + heading_cell("not judged", true) + heading_cell("largest", true) +
          heading_cell("error/bound"),
      body + "</tbody>");
  return section("results", "Implementations", results + reasons_table(subjects));
}

std::string replayed_section(const RunReport& report) {
  std::string rows;
  for (const ReplayedCase& each : report.replayed) {
    const bool wrong = is_finding(each.verdict);
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(each.path), escaped(each.subject), wrong ? "bad" : "", name_of(each.verdict),
        escaped(each.outcome), escaped(each.reason));
  }
  if (rows.empty()) return "";
  return section("replayed", "Replayed cases",
                 table("Saved cases, judged again",
                       heading_cell("case") + heading_cell("implementation") + heading_cell("verdict") +
                           heading_cell("beside what was recorded") + heading_cell("reason"),
                       "<tbody>" + rows + "</tbody>"));
}

std::string canaries_section(const RunReport& report) {
  std::string rows;
  for (const Canary& canary : report.session.canaries) {
    const bool bad = !canary.is_open() && !canary.got_what_is_due();
    const auto first = canary.first_case();
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"{}\">{}</td>"
        "<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
        escaped(canary.name), escaped(canary.block), escaped(canary.expected), bad ? "bad" : "",
        canary.is_open() ? "not yet found" : escaped(canary.got()), first ? fmt::format("{}", *first) : "",
        canary.cases.size());
  }
  if (rows.empty()) return "";
  const FalseAlarms alarms = false_alarms(report.session);
  std::int64_t found = 0, faults = 0;
  for (const DetectionPower& power : detection_power(report.session.canaries)) {
    found += power.found;
    faults += power.found + power.survived + power.open;
  }
  return section(
      "canaries", "Canaries",
      fmt::format("<p class=\"sentence\">{} of {} found; {} in {} of right code: below {:.2g} % with 95 % "
                  "confidence.</p>\n",
                  found, counted(faults, "fault"), counted(alarms.alarms, "false alarm"),
                  counted(alarms.cases, "judged case"), 100 * alarms.limit) +
          table("Implementations that are wrong on purpose, and right ones: would this run have noticed?",
                heading_cell("canary") + heading_cell("block") + heading_cell("must get") +
                    heading_cell("got") + heading_cell("first in case", true) + heading_cell("cases", true),
                "<tbody>" + rows + "</tbody>"));
}

namespace {

/// How to read the grids.
constexpr std::string_view kPlacesKey =
    R"(<p class="quiet">Up to 16 wrong elements of each failing case, beside
as many drawn at random from the same outputs. An axis is divided into 16 parts from its first index to its last.
On a map are the points of elements that have a single one with a weight other than 0: the full line joins the
centres of the outermost pixels, the dashed one is as far as a point reaches any pixel. Cells with too few of both are blank.</p>
<ul class="key"><li><svg aria-hidden="true" width="96" height="14"><path class="h0" d="M0 1h15v12h-15z"/>
<path class="h1" d="M16 1h15v12h-15z"/><path class="h2" d="M32 1h15v12h-15z"/>
<path class="h3" d="M48 1h15v12h-15z"/><path class="h4" d="M64 1h15v12h-15z"/>
<path class="h5" d="M80 1h15v12h-15z"/></svg></li>
<li>blue: fewer errors than chance gives, grey: as many, red: more</li></ul>
)";

}  // namespace

std::string places_section(const RunReport& report) {
  std::string text;
  for (const SubjectReport& subject : report.session.subjects) {
    std::string telling, others;
    for (const auto& [grid, counts] : subject.places) {
      const PlaceChart chart = place_chart(grid, counts);
      (chart.stands_out ? telling : others) += chart.figure;
    }
    if (telling.empty() && others.empty()) continue;
    text += fmt::format("<h3>{} <span class=\"quiet\">{}</span></h3>\n", escaped(subject.name),
                        escaped(subject.block));
    text += telling.empty() ? "<p>Wrong elements stand where any element does.</p>\n"
                            : fmt::format("<div class=\"grids\">\n{}</div>\n", telling);
    if (!others.empty()) {
      text += fmt::format(
          "<details><summary>Where nothing stands out</summary><div class=\"grids\">\n{}</div></details>\n",
          others);
    }
  }
  if (text.empty()) return "";
  return section("places", "Where the errors sit", std::string(kPlacesKey) + text);
}

std::string coverage_section(const RunReport& report) {
  std::string missing, reached;
  const std::vector<TriggerClass> never = never_reached(report);
  for (const TriggerClass& each : never) {
    missing += fmt::format("<li><code>{}</code>: {}</li>\n", escaped(each.name), escaped(each.description));
  }
  for (const auto& [name, cases] : report.session.triggers) {
    reached += fmt::format("<li><code>{}</code> {}</li>\n", escaped(name), cases);
  }
  if (missing.empty() && reached.empty()) return "";
  std::string text = fmt::format(
      "<p>The cases reached {} of {} trigger classes: properties of inputs that have broken kernels before "
      "(<code>deformdiff list triggers</code>).</p>\n",
      report.session.triggers.size(), report.session.triggers.size() + never.size());
  if (!missing.empty())
    text += fmt::format("<h3>Never reached</h3>\n<ul class=\"list\">\n{}</ul>\n", missing);
  if (!reached.empty()) {
    text += fmt::format(
        "<details><summary>Reached, with the number of cases</summary>\n<ul "
        "class=\"list\">\n{}</ul></details>\n",
        reached);
  }
  return section("coverage", "What the cases reached", text);
}

std::string run_section(const RunReport& report) {
  std::string rows;
  const auto add = [&](const std::string& name, const std::string& value) {
    if (value.empty()) return;
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(name), escaped(value));
  };
  add("command", "deformdiff " + report.command);
  if (report.command == "fuzz" || report.command == "selftest") add("seed", fmt::format("{}", report.seed));
  add("only cases that meet", report.only);
  add("version", DEFORMDIFF_VERSION);
  add("exit code", fmt::format("{}", report.exit_code));
  for (const auto& [name, value] : report.session.environment) add(name, value);
  add("ignored tensors", fmt::format("{}", fmt::join(report.ignored, ", ")));
  add("read as int64", fmt::format("{}", fmt::join(report.read_as_int64, ", ")));
  return section("run", "The run",
                 time_chart(report.session.split) + table("What was run, and where",
                                                          heading_cell("what") + heading_cell("value"),
                                                          "<tbody>" + rows + "</tbody>"));
}

}  // namespace deformdiff::html
