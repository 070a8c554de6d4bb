#include "reports/report_kinds.h"

#include <algorithm>
#include <array>

namespace deformdiff {

std::span<const ReportKind> report_kinds() {
  static constexpr std::array<ReportKind, 5> kKinds{{{"terminal", terminal_report, nullptr},
                                                     {"json", json_report, nullptr},
                                                     {"junit", junit_report, nullptr},
                                                     {"html", html_report, nullptr},
                                                     {"github", github_report, github_annotations}}};
  return kKinds;
}

const ReportKind* find_report_kind(std::string_view name) {
  const auto found = std::ranges::find(report_kinds(), name, &ReportKind::name);
  return found == report_kinds().end() ? nullptr : &*found;
}

}  // namespace deformdiff
