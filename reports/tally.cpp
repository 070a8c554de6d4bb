#include "reports/tally.h"

#include <cmath>

#include <fmt/format.h>

namespace deformdiff {

std::string ratio_text(const RatioHistogram& ratios) {
  if (ratios.total() == 0) return "-";
  return std::isfinite(ratios.max()) ? fmt::format("{:.3g}", ratios.max()) : "inf";
}

std::string counted(std::int64_t count, const std::string& singular) {
  return fmt::format("{} {}{}", count, singular, count == 1 ? "" : "s");
}

}  // namespace deformdiff
