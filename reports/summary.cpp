#include "reports/summary.h"

#include "reports/causes.h"
#include "reports/tally.h"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

namespace deformdiff {

std::string final_sentence(const RunReport& report) {
  const Tally total = tally_of(report.session);
  std::set<std::string> agreeing;
  for (const SubjectReport& subject : report.session.subjects) {
    if (tally_of(subject).agree > 0) agreeing.insert(subject.name);
  }
  const std::string not_judged = fmt::format("{} not judged.", total.not_judged);
  if (total.found > 0 || !report.session.findings.empty()) {
    const std::size_t causes = causes_of(report.session.findings).size();
    const bool grouped = causes < report.session.findings.size();
    return fmt::format("{}{} found in {} of {}; {}",
                       counted(static_cast<std::int64_t>(report.session.findings.size()), "failure"),
                       grouped ? " of " + counted(static_cast<std::int64_t>(causes), "cause") : "",
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

Tally tally_of(const SessionReport& session) {
  Tally total;
  for (const SubjectReport& subject : session.subjects) {
    const Tally tally = tally_of(subject);
    total.agree += tally.agree;
    total.found += tally.found;
    total.not_judged += tally.not_judged;
  }
  return total;
}

std::string replay_command(const Finding& finding) {
  return finding.not_saved.empty() ? fmt::format("deformdiff replay {}", finding.case_path.string()) : "";
}

std::vector<std::string> names_of(const std::vector<SubjectReport>& subjects) {
  std::vector<std::string> names;
  for (const SubjectReport& subject : subjects) {
    if (std::ranges::find(names, subject.name) == names.end()) names.push_back(subject.name);
  }
  return names;
}

std::vector<Reason> reasons_of(const std::vector<SubjectReport>& subjects) {
  std::vector<Reason> all;
  for (const SubjectReport& subject : subjects) {
    for (const auto& [text, cases] : subject.not_judged) {
      auto reason = std::ranges::find(all, text, &Reason::text);
      if (reason == all.end()) reason = all.insert(all.end(), {text, 0, {}});
      reason->cases += cases;
      if (std::ranges::find(reason->subjects, subject.name) == reason->subjects.end()) {
        reason->subjects.push_back(subject.name);
      }
    }
  }
  std::ranges::stable_sort(all, std::greater(), &Reason::cases);
  return all;
}

std::vector<TriggerClass> never_reached(const RunReport& report) {
  std::vector<TriggerClass> missing;
  std::ranges::copy_if(report.trigger_classes, std::back_inserter(missing), [&](const TriggerClass& each) {
    return !report.session.triggers.contains(each.name);
  });
  return missing;
}

std::string status_text(const Finding& finding) {
  switch (finding.status) {
    case FindingStatus::kNew:
      return "";
    case FindingStatus::kKnown:
      return fmt::format("known: {}", finding.kept_case.string());
    case FindingStatus::kRegression:
      return fmt::format("a regression: this was fixed: {}", finding.kept_case.string());
  }
  return "";
}

}  // namespace deformdiff
