#include "reports/narrow_support.h"

#include "reports/tally.h"

#include <fmt/format.h>

namespace deformdiff {

void warn_of_narrow_support(RunReport& report) {
  constexpr std::int64_t kOneIn = 10;
  for (const SubjectReport& subject : report.session.subjects) {
    const std::int64_t judged = tally_of(subject).judged();
    const bool unsupported = subject.verdicts.contains(Verdict::kUnsupported);
    if (!unsupported || !subject.info.blocks.contains(subject.block) || judged * kOneIn >= subject.cases) {
      continue;
    }
    const std::string& supports = subject.info.supports;
    report.warnings.push_back(
        fmt::format("{} was judged in {} of {} cases of {}: --only '{}' draws cases that {}", subject.name,
                    judged, subject.cases, subject.block, supports.empty() ? "D==32" : supports,
                    supports.empty() ? "meet such conditions" : "it supports"));
  }
}

}  // namespace deformdiff
