// Counts and ratios as they are printed.
#pragma once

#include "engine/ratio_histogram.h"

#include <cstdint>
#include <string>

namespace deformdiff {

/// The largest error / bound, "0.978"; "-" where no element was judged.
std::string ratio_text(const RatioHistogram& ratios);

/// "1 case", "2 cases"; the plural is with an s.
std::string counted(std::int64_t count, const std::string& singular);

}  // namespace deformdiff
