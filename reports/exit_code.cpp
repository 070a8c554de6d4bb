#include "reports/exit_code.h"

#include "reports/canaries.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff {

int decide_exit_code(RunReport& report, const std::vector<std::string>& required) {
  if (!report.session.broken_off.empty()) return 3;
  std::int64_t found = static_cast<std::int64_t>(report.session.findings.size());
  std::int64_t agreed = 0;
  for (const SubjectReport& subject : report.session.subjects) {
    const Tally tally = tally_of(subject);
    found += tally.found;
    agreed += tally.agree;
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
