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

void count(SubjectReport& report, const Comparison& comparison, std::uint64_t index) {
  if (!comparison.lost_worker.empty() && comparison.verdict != Verdict::kCrashed) {
    report.retries.push_back({index, comparison.lost_worker, comparison.verdict});
  }
  if (is_finding(comparison.verdict)) {
    report.first_finding_case = std::min(report.first_finding_case.value_or(index), index);
  }
  ++report.cases;
  ++report.verdicts[comparison.verdict];
  if (comparison.estimated) ++report.estimated;
  for (const auto& [name, judged] : comparison.relations) {
    RelationCount& relation = report.relations[name];
    ++(judged ? relation.judged : relation.not_applicable);
  }
  if (comparison.verdict >= Verdict::kVacuous && comparison.verdict != Verdict::kAgree) {
    ++report.not_judged[fmt::format("{}: {}", name_of(comparison.verdict), comparison.reason)];
  }
}

void add(SubjectReport& all, const SubjectReport& part) {
  all.cases += part.cases;
  for (const auto& [verdict, cases] : part.verdicts) all.verdicts[verdict] += cases;
  for (const auto& [reason, cases] : part.not_judged) all.not_judged[reason] += cases;
  all.estimated += part.estimated;
  for (const auto& [name, counts] : part.relations) {
    all.relations[name].judged += counts.judged;
    all.relations[name].not_applicable += counts.not_applicable;
  }
  all.run_seconds += part.run_seconds;
  all.ratios.add(part.ratios);
  add(part.places, all.places);
  all.retries.insert(all.retries.end(), part.retries.begin(), part.retries.end());
  if (part.first_finding_case) {
    all.first_finding_case =
        std::min(all.first_finding_case.value_or(*part.first_finding_case), *part.first_finding_case);
  }
}

void add(TimeSplit& all, const TimeSplit& part) {
  all.generate += part.generate;
  all.transport += part.transport;
  all.run += part.run;
  all.oracle += part.oracle;
  all.compare += part.compare;
}

void append(SessionReport& all, SessionReport one) {
  std::ranges::move(one.subjects, std::back_inserter(all.subjects));
  std::ranges::move(one.findings, std::back_inserter(all.findings));
  std::ranges::move(one.canaries, std::back_inserter(all.canaries));
  std::ranges::move(one.guided, std::back_inserter(all.guided));
  for (const auto& [name, count] : one.triggers) all.triggers[name] += count;
  all.environment.merge(one.environment);
  add(all.split, one.split);
  all.seconds += one.seconds;
  if (all.broken_off.empty()) all.broken_off = one.broken_off;
}

}  // namespace deformdiff
