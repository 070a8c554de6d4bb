// What the counts of an implementation come to.
#pragma once

#include "engine/session_report.h"

#include <cstdint>
#include <string>

namespace deformdiff {

struct Tally {
  std::int64_t agree = 0, found = 0, not_judged = 0;

  std::int64_t judged() const { return agree + found; }
};

Tally tally_of(const SubjectReport& subject);

/// The largest error / bound, "0.978"; "-" where no element was judged.
std::string ratio_text(const RatioHistogram& ratios);

/// "1 case", "2 cases"; the plural is with an s.
std::string counted(std::int64_t count, const std::string& singular);

}  // namespace deformdiff
