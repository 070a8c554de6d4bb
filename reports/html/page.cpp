// The page: its verdict, what to look at, and the sections in the order in which people ask.
#include "reports/canaries.h"
#include "reports/html/markup.h"
#include "reports/html/sections.h"
#include "reports/html/style.h"
#include "reports/run_report.h"
#include "reports/summary.h"
#include "reports/tally.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace deformdiff {
namespace {

using html::escaped;

struct Headline {
  std::string style, text;
};

Headline headline_of(const RunReport& report) {
  const auto findings = static_cast<std::int64_t>(report.session.findings.size());
  const Tally total = tally_of(report.session);
  const auto missed = static_cast<std::int64_t>(canary_failures(report.session.canaries).size());
  if (!report.first_diverging_stage.empty()) {
    return {"bad", "Diverges first at " + report.first_diverging_stage};
  }
  if (findings > 0) {
    std::set<std::string> subjects;
    for (const Finding& finding : report.session.findings) subjects.insert(finding.signature.subject);
    return {"bad",
            subjects.size() == 1
                ? fmt::format("{} in {}", counted(findings, "failure"), *subjects.begin())
                : fmt::format("{} in {} implementations", counted(findings, "failure"), subjects.size())};
  }
  if (total.found > 0) return {"bad", fmt::format("{} found", counted(total.found, "failing case"))};
  if (missed > 0)
    return {"bad", fmt::format("{} did not get the verdict it must get", counted(missed, "canary"))};
  if (total.agree == 0) return {"note", "Nothing was judged"};
  if (report.exit_code != 0) return {"bad", "Nothing found, but what was required was not run"};
  return {"good", "Nothing found"};
}

std::string duration_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto minutes = static_cast<std::int64_t>(seconds) / 60;
  return minutes < 60 ? fmt::format("{} min", minutes)
                      : fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string tile(std::int64_t value, std::string_view name, bool bad = false) {
  return fmt::format("<div{}><dt>{}</dt><dd>{}</dd></div>\n", bad ? " class=\"bad\"" : "", name, value);
}

std::string tiles(const RunReport& report) {
  const std::vector<SubjectReport>& subjects = report.session.subjects;
  const Tally total = tally_of(report.session);
  std::set<std::string> blocks;
  double nearest = 0;
  for (const SubjectReport& subject : subjects) {
    blocks.insert(subject.block);
    if (tally_of(subject).found == 0) nearest = std::max(nearest, subject.ratios.max());
  }
  const auto found = static_cast<std::int64_t>(report.session.findings.size());
  std::string text = tile(found, "findings", found > 0) + tile(total.found, "failing runs", total.found > 0) +
                     tile(total.judged(), "judged runs") + tile(total.not_judged, "not judged") +
                     tile(static_cast<std::int64_t>(names_of(subjects).size()), "implementations") +
                     tile(static_cast<std::int64_t>(blocks.size()), "blocks");
  if (nearest > 0) {
    text +=
        fmt::format("<div><dt>largest error/bound of those that agree</dt><dd>{:.3g}</dd></div>\n", nearest);
  }
  return fmt::format("<dl class=\"tiles\">\n{}</dl>\n", text);
}

std::string header(const RunReport& report) {
  const Headline headline = headline_of(report);
  std::string text = fmt::format("<div class=\"verdict {}\"><h1>{}</h1>\n<p>{}</p>\n", headline.style,
                                 escaped(headline.text), escaped(final_sentence(report)));
  for (const std::string& warning : report.warnings) {
    text += fmt::format("<p><b>Warning:</b> {}.</p>\n", escaped(warning));
  }
  text += fmt::format("<p>deformdiff {}, {}</p></div>\n", escaped(report.command),
                      duration_text(report.session.seconds));
  return fmt::format("<header>\n{}{}</header>\n", text, tiles(report));
}

struct Part {
  std::string_view id, name;
  std::string text;
};

std::string navigation(const std::vector<Part>& parts) {
  std::string items;
  for (const Part& part : parts) {
    if (!part.text.empty()) items += fmt::format("<li><a href=\"#{}\">{}</a></li>", part.id, part.name);
  }
  return fmt::format("<nav aria-label=\"On this page\"><ul>{}</ul></nav>\n", items);
}

}  // namespace

std::string html_report(const RunReport& report) {
  const std::vector<Part> parts{{"stages", "Stages", html::stages_section(report)},
                                {"findings", "Findings", html::findings_section(report)},
                                {"replayed", "Replayed cases", html::replayed_section(report)},
                                {"results", "Implementations", html::results_section(report)},
                                {"places", "Where errors sit", html::places_section(report)},
                                {"canaries", "Canaries", html::canaries_section(report)},
                                {"coverage", "Coverage", html::coverage_section(report)},
                                {"run", "The run", html::run_section(report)}};
  std::string text = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n"
      "<title>{}: deformdiff {}</title>\n<style>{}</style>\n</head>\n<body>\n"
      "<a class=\"skip\" href=\"#main\">To the results</a>\n",
      escaped(headline_of(report).text), escaped(report.command), html::style_sheet());
  text += header(report) + navigation(parts) + "<main id=\"main\">\n";
  for (const Part& part : parts) text += part.text;
  return text + "</main>\n<footer>Written by deformdiff " DEFORMDIFF_VERSION ".</footer>\n</body>\n</html>\n";
}

}  // namespace deformdiff
