#include "generators/staged/shrinks.h"

#include "generators/shrink/storage_steps.h"
#include "generators/staged/edits.h"
#include "generators/staged/steps.h"

#include <utility>
#include <vector>

namespace deformdiff {
namespace {

Steps steps_of(const Draft& draft) {
  const ShrinkAxes axes = axes_by_size(draft);
  const ElementRange all = all_elements(draft);
  const std::vector<Simplify> constants{constant(0), constant(1)};
  Steps steps{single_everything_step(draft, axes)};
  add_halves(axes, true, steps);
  add_plainness_steps(draft, steps);
  steps.push_back(contiguous_everything());
  add_constant_steps(draft, steps);
  add_trims(axes, steps);
  add_crops(draft, keep_levels, steps);
  for (const auto& [input, traits] : draft.storage_layouts) steps.push_back(simpler_storage(draft, input));
  steps.push_back(ways_on(halved_tensor_lists(draft), roundings()));
  add_chunks(all, constants, false, steps);
  add_drops(axes, steps);
  add_chunks(all, constants, true, steps);
  steps.push_back(one_by_one(all, roundings()));
  return steps;
}

}  // namespace

Shrinks deep_shrink_stream(const BlockDefinition& block) {
  return [&block](const Case& c) {
    Draft draft = draft_of(block, c);
    Steps steps = steps_of(draft);
    return candidates(std::move(draft), std::move(steps));
  };
}

}  // namespace deformdiff
