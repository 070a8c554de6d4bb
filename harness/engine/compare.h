// The judgement of one outcome against one reference, by the numbered rules of oracles/README.md.
// Knows no block, subject or device.
#pragma once

#include "core/outcome.h"
#include "core/precision.h"
#include "core/reference.h"
#include "core/verdict.h"
#include "engine/ratio_histogram.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

struct Comparison {
  Verdict verdict = Verdict::kNotRun;
  std::string reason;  ///< one line for people: what was found and what was wanted

  // The element that decided, or the worst one that agreed; element is -1 where no element is to blame.
  std::string output;
  std::int64_t element = -1;
  double got = 0;
  double wanted = 0;
  double bound = 0;
  double ratio = 0;             ///< |got - wanted| / bound; infinity where the bound is 0 and they differ
  std::int64_t violations = 0;  ///< elements outside their set
  std::vector<std::int64_t> violating;  ///< of `output`, in order: those with the verdict; at most kListed
  static constexpr std::size_t kListed = 64;
};

/// Applies rules 1 to 7. The ratios of finite elements are added to `ratios` unless it is null.
Comparison compare(const Outcome& outcome, const Reference& reference, const Contract& contract,
                   RatioHistogram* ratios = nullptr);

}  // namespace deformdiff
