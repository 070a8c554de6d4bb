#include "reports/exit_code.h"

#include "reports/canaries.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff {

int decide_exit_code(RunReport& report, const std::vector<std::string>& required) {
  if (!report.session.broken_off.empty()) return 3;
  std::int64_t found = 0, agreed = 0;
  for (const SubjectReport& subject : report.session.subjects) {
    const Tally tally = tally_of(subject);
    found += tally.found;
    agreed += tally.agree;
  }
  for (const Finding& finding : report.session.findings) {
    if (finding.status != FindingStatus::kKnown || report.known_fail) {
      ++found;
    } else {
      // What it was seen in is known as well; a case of which no finding came is not.
      found -= finding.count;
      agreed += finding.count;
    }
  }
  bool missing = false;
  for (const std::string& name : required) {
    const bool ran = std::ranges::any_of(report.session.subjects, [&](const SubjectReport& subject) {
      return subject.name == name && std::ranges::any_of(subject.verdicts, [](const auto& entry) {
               return entry.first != Verdict::kNotRun && entry.second > 0;
             });
    });
    if (!ran) report.warnings.push_back(fmt::format("{} is required and was not run", name));
    missing = missing || !ran;
  }
  const std::vector<std::string> canaries = canary_failures(report.session.canaries);
  report.warnings.insert(report.warnings.end(), canaries.begin(), canaries.end());
  if (found > 0 || missing || !canaries.empty()) return 1;
  return agreed > 0 ? 0 : 4;
}

}  // namespace deformdiff
