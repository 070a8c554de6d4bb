// Rules 4 and 5 over the elements of one output: the comparator's hot loop.
#pragma once

#include "core/reference.h"
#include "core/tensor.h"
#include "engine/element_sample.h"
#include "engine/ratio_histogram.h"

#include <cstdint>
#include <vector>

namespace deformdiff {

/// Elements that agree because nothing is known that they could contradict.
struct Unjudged {
  std::int64_t elements = 0;   ///< may be anything
  std::int64_t nonfinite = 0;  ///< those of them that are not finite
};

/// What the elements of one output look like beside their admissible sets.
struct ElementFindings {
  std::int64_t nonfinite = 0;                    ///< elements of a kind that is not admitted (rule 4)
  std::int64_t outside = 0;                      ///< finite elements outside their interval (rule 5)
  std::vector<std::int64_t> nonfinite_elements;  ///< the first `listed` of them
  std::vector<std::int64_t> outside_elements;
  ElementSample nonfinite_sample;  ///< of all of them
  ElementSample outside_sample;
  Unjudged unjudged;
  std::int64_t worst = -1;  ///< element with the largest ratio among finite ones; -1 if there is none
  double worst_ratio = 0;   ///< |got - wanted| / bound, 0 for 0 / 0; above 1 exactly if it is outside
};

/// `got` has the dtype and the shape of `reference`. The interval is decided exactly, differences below an
/// ulp of the value included.
ElementFindings compare_elements(const Tensor& got, const OutputReference& reference, std::size_t listed,
                                 RatioHistogram* ratios);

}  // namespace deformdiff
