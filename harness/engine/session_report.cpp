#include "engine/session_report.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace deformdiff {

Tally tally_of(const SubjectReport& subject) {
  Tally tally;
  for (const auto& [verdict, cases] : subject.verdicts) {
    (verdict == Verdict::kAgree ? tally.agree
     : is_finding(verdict)      ? tally.found
                                : tally.not_judged) += cases;
  }
  return tally;
}

void count(SubjectReport& report, const Comparison& comparison, std::optional<std::uint64_t> index) {
  if (!comparison.lost_worker.empty() && comparison.verdict != Verdict::kCrashed) {
    report.retries.push_back({index.value_or(static_cast<std::uint64_t>(report.cases)),
                              comparison.lost_worker, comparison.verdict});
  }
  if (is_finding(comparison.verdict) && !report.first_finding_case) {
    report.first_finding_case = static_cast<std::uint64_t>(report.cases);
  }
  ++report.cases;
  ++report.verdicts[comparison.verdict];
  if (comparison.estimated) ++report.estimated;
  if (comparison.verdict >= Verdict::kVacuous && comparison.verdict != Verdict::kAgree) {
    ++report.not_judged[fmt::format("{}: {}", name_of(comparison.verdict), comparison.reason)];
  }
}

void append(SessionReport& all, SessionReport one) {
  std::ranges::move(one.subjects, std::back_inserter(all.subjects));
  std::ranges::move(one.findings, std::back_inserter(all.findings));
  for (const auto& [name, count] : one.triggers) all.triggers[name] += count;
  all.environment.merge(one.environment);
  all.split.generate += one.split.generate;
  all.split.transport += one.split.transport;
  all.split.run += one.split.run;
  all.split.oracle += one.split.oracle;
  all.split.compare += one.split.compare;
  all.seconds += one.seconds;
}

}  // namespace deformdiff
