#include "generators/ms_deform_attn/shrinks.h"

#include "blocks/block_list.h"
#include "generators/ms_deform_attn/steps.h"
#include "generators/shrink/storage_steps.h"

#include <utility>
#include <vector>

namespace deformdiff::ms_deform_attn {
namespace {

Steps steps_of(const Draft& draft) {
  const ShrinkAxes axes = axes_by_size(draft);
  const std::vector<FloatingInput> inputs = floating_inputs(draft);
  const std::int64_t step = draft.dense.attribute("im2col_step");
  Steps steps{{2, [axes](const Draft& from, std::int64_t which) {
                 return single_everything(from, axes, which == 1);
               }}};
  add_halves(axes, false, steps);
  steps.push_back(small_batch_with_step());
  steps.push_back(crop_to_touched());
  steps.push_back(tidy_levels());
  steps.push_back(simpler_im2col_step({64, 1}));
  steps.push_back(contiguous_everything());
  for (const FloatingInput& input : inputs) steps.push_back(ways_on({input.range}, input.constants));
  steps.push_back(small_values(draft));
  add_trims(axes, steps);
  add_level_crops(draft, steps);
  for (const NamedTensor& input : draft.dense.inputs) steps.push_back(simpler_storage(draft, input.name));
  for (const FloatingInput& input : inputs) steps.push_back(ways_on({input.range}, input.roundings));
  add_slices(inputs, steps);
  for (const FloatingInput& input : inputs) add_chunks(input.range, input.constants, false, steps);
  steps.push_back(simpler_im2col_step({step / 2, step - 1}));
  steps.push_back(transposition());
  add_drops(axes, steps);
  for (const FloatingInput& input : inputs) add_chunks(input.range, input.constants, true, steps);
  for (const FloatingInput& input : inputs) steps.push_back(one_by_one(input.range, input.roundings));
  return steps;
}

}  // namespace

CaseStream shrink_stream(const Case& c) {
  const BlockDefinition* const block = find_block_definition(c.block);
  if (block == nullptr) throw InputError("no block '" + c.block + "'");
  Draft draft = draft_of(*block, c);
  Steps steps = steps_of(draft);
  return candidates(std::move(draft), std::move(steps));
}

}  // namespace deformdiff::ms_deform_attn
