// The judgement of a block stage by stage: each on the implementation's own inputs to it.
#pragma once

#include "core/subject_info.h"
#include "engine/block_entry.h"
#include "engine/compare.h"
#include "engine/stage_values.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

struct StageVerdict {
  std::string stage;      ///< or the output that is no copy of its stage
  Comparison comparison;  ///< local: what this stage made of its own inputs
  double inherited = 0;   ///< largest difference to the value from exact arithmetic throughout, beside the
                          ///< largest such value; filled if asked for
};

struct StagedComparison {
  Comparison comparison;  ///< of the case: that of the first stage at fault, or of the worst that agrees
  std::vector<StageVerdict> stages;  ///< of the stages that were seen, in order, and of outputs judged apart
};

struct StageOptions {
  int threads = 1;
  bool inherited = false;   ///< also evaluate the block in exact arithmetic, for StageVerdict::inherited
  bool one_run = false;     ///< outputs and stages are of one run, as recorded ones are
  bool has_failed = false;  ///< the case told right from wrong once: rule 7 is not asked
  /// Of this case and the subject's declaration, if they are there.
  const SharedReferences* shared = nullptr;
};

/// Applies rules 1 to 7. The verdict names the first stage, in the block's order, that is at fault. Outputs
/// that are not those of the tapped run are judged by estimated sets. An agreement is estimated if that of
/// one of its stages is. A subject without a bound is judged by relations between its answers, and has no
/// stages. Where the call that counts agrees, what one at once with another returned is judged too.
StagedComparison judge_stages(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                              const SubjectInfo& info, const StageOptions& options,
                              RatioHistogram* ratios = nullptr);

/// The element that decided about a stage's value, as the stage's operation made it.
struct StageElement {
  const Oracle& oracle;  ///< of the operation
  Case problem;          ///< of it, on the values that the outcome showed; exact ones in place of others
  std::int64_t element;  ///< where it stands in the operation's result, before the stage's view
};
StageElement element_of_stage(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                              const Precision& declared, const Stage& of, const Comparison& decided);

/// What the outcome shows of a stage: in the tapped run if it does, or else, and where `untapped`, among the
/// outputs; nullptr if nothing.
const Tensor* shown_value(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                          const std::string& stage, bool untapped);

}  // namespace deformdiff
