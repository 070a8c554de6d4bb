#include "reports/against.h"

#include "reports/layout.h"
#include "reports/tally.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Runs on other machines and other cases differ by less than that without a reason.
constexpr double kSlower = 1.25;
constexpr double kSharper = 0.8;

const SubjectReport* find(const RunReport& report, const SubjectReport& like) {
  const auto found = std::ranges::find_if(report.session.subjects, [&](const SubjectReport& each) {
    return each.name == like.name && each.block == like.block;
  });
  return found == report.session.subjects.end() ? nullptr : &*found;
}

bool has(const RunReport& report, const Finding& like) {
  return std::ranges::any_of(report.session.findings, [&](const Finding& each) {
    return each.signature == like.signature && each.excused_by == like.excused_by;
  });
}

/// Whether the finding could have been met there.
bool judged(const RunReport& report, const Signature& signature) {
  return std::ranges::any_of(report.session.subjects, [&](const SubjectReport& subject) {
    return subject.name == signature.subject && subject.block == signature.block &&
           tally_of(subject).judged() > 0;
  });
}

/// Of implementations that both judged: of others a finding is neither new nor gone.
std::string findings_only_in(const RunReport& one, const RunReport& other, const char* title) {
  std::string text;
  for (const Finding& finding : one.session.findings) {
    if (judged(other, finding.signature) && !has(other, finding)) text += wrapped("  ", finding.one_line, 4);
  }
  return fmt::format("{}\n{}", title, text.empty() ? "  none\n" : text);
}

double seconds_of_call(const SubjectReport& subject) {
  const Tally tally = tally_of(subject);
  return tally.judged() > 0 ? subject.run_seconds / static_cast<double>(tally.judged()) : 0;
}

/// "cpu of ms_deform_attn: 12 us a case, was 8 us".
std::string change(const SubjectReport& subject, const char* what, double now, double before) {
  return wrapped(
      "  ", fmt::format("{} of {}: {} {:.3g}, was {:.3g}", subject.name, subject.block, what, now, before),
      4);
}

std::string title(const char* heading, const std::string& lines) {
  return fmt::format("{}\n{}", heading, lines.empty() ? "  none\n" : lines);
}

}  // namespace

std::string against_report(const RunReport& now, const RunReport& before) {
  std::string slower, faster, sharper, blunter, only_now, only_before;
  for (const SubjectReport& subject : now.session.subjects) {
    const SubjectReport* const earlier = find(before, subject);
    if (earlier == nullptr) {
      only_now += wrapped("  ", fmt::format("{} of {}", subject.name, subject.block), 4);
      continue;
    }
    const double seconds = seconds_of_call(subject), was = seconds_of_call(*earlier);
    if (was > 0 && seconds > 0) {
      if (seconds > was * kSlower) slower += change(subject, "milliseconds a call", seconds * 1e3, was * 1e3);
      if (was > seconds * kSlower) faster += change(subject, "milliseconds a call", seconds * 1e3, was * 1e3);
    }
    // Of typical elements: the largest ratio of a run is one element's.
    constexpr double kTypical = 0.99;
    const double ratio = subject.ratios.quantile(kTypical), ratio_was = earlier->ratios.quantile(kTypical);
    if (ratio > 0 && ratio_was > 0) {
      if (ratio < ratio_was * kSharper)
        sharper += change(subject, "99 % of errors below, in bounds,", ratio, ratio_was);
      if (ratio_was < ratio * kSharper)
        blunter += change(subject, "99 % of errors below, in bounds,", ratio, ratio_was);
    }
  }
  for (const SubjectReport& subject : before.session.subjects) {
    if (find(now, subject) == nullptr) {
      only_before += wrapped("  ", fmt::format("{} of {}", subject.name, subject.block), 4);
    }
  }
  std::string text =
      findings_only_in(now, before, "New findings") + findings_only_in(before, now, "Gone findings");
  text += title("Slower", slower) + title("Faster", faster);
  text += title("Closer to the exact result", sharper) + title("Further from the exact result", blunter);
  if (!only_now.empty()) text += title("Implementations that were not there before", only_now);
  if (!only_before.empty()) text += title("Implementations that are no longer there", only_before);
  for (const std::string& warning : now.warnings) text += wrapped("Of this run: ", warning, 2);
  for (const std::string& warning : before.warnings) text += wrapped("Of the earlier run: ", warning, 2);
  return text;
}

}  // namespace deformdiff
