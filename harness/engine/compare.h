// The judgement of one outcome against one reference, by the numbered rules of oracles/README.md.
// Knows no block, subject or device.
#pragma once

#include "core/block.h"
#include "core/outcome.h"
#include "core/precision.h"
#include "core/reference.h"
#include "core/verdict.h"
#include "engine/compare_elements.h"
#include "engine/ratio_histogram.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace deformdiff {

struct Comparison {
  Verdict verdict = Verdict::kNotRun;
  std::string reason;  ///< one line for people: what was found and what was wanted

  // The element that decided, or the worst one that agreed; element is -1 where no element is to blame.
  std::string output;
  Shape shape;  ///< of `output`; empty where no element is to blame
  std::int64_t element = -1;
  double got = 0;
  double wanted = 0;  ///< NaN where no finite number is due
  double bound = 0;
  double ratio = 0;             ///< |got - wanted| / bound; infinity where the bound is 0 and they differ
  std::int64_t violations = 0;  ///< elements outside their set
  std::vector<std::int64_t> violating;  ///< of `output`, in order: those with the verdict; at most kListed
  static constexpr std::size_t kListed = 64;
  std::vector<std::int64_t> sampled;  ///< evenly drawn of all that have the verdict, in order

  Unjudged unjudged;  ///< of the elements that agree, over all outputs

  std::string lost_worker;  ///< as Outcome's

  // Filled by the judge of relations.
  std::map<std::string, bool> relations;  ///< by name: whether it was judged, or did not apply

  // Filled by the judge of stages; `output` is then the stage that decided.
  bool untapped = false;                    ///< `output` was judged on a run that showed nothing but outputs
  bool estimated = false;                   ///< the admissible set was estimated, not derived
  std::string element_class;                ///< of `element`, or the relation that is broken; empty where no
                                            ///< element is to blame
  std::set<std::string> violating_classes;  ///< of the elements in `violating`
};

/// A reference that has the outputs' names, dtypes and shapes, and no values.
Reference structure_of(const std::vector<OutputSpec>& outputs);

/// Shortest text that identifies the number in its own dtype.
std::string number_text(double value, DType dtype);

/// Rules 1 to 3, which need no values: what they decide, or nothing if the elements are to be looked at. Of
/// `reference` the outputs' names, dtypes and shapes are used.
std::optional<Comparison> decided_before_elements(const Outcome& outcome, const Reference& reference);

/// Rules 6 and 7, once the elements agree: the verdict in `result` and its reason. `vacuous` is as in
/// Reference.
void judge_after_elements(const Outcome& outcome, const Contract& contract, const std::string& vacuous,
                          Comparison& result);

/// Rule 7 of one output: why it says nothing if so many of its elements are unjudged; empty if they are at
/// most half.
std::string mostly_unjudged(const std::string& output, std::int64_t unjudged, std::int64_t elements);

/// Applies rules 1 to 7. The ratios of finite elements are added to `ratios` unless it is null.
Comparison compare(const Outcome& outcome, const Reference& reference, const Contract& contract,
                   RatioHistogram* ratios = nullptr);

}  // namespace deformdiff
