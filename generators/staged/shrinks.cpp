#include "generators/staged/shrinks.h"

#include "generators/shrink/storage_steps.h"
#include "generators/staged/edits.h"
#include "generators/staged/steps.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace deformdiff {
namespace {

/// Those along which no parameter lies that is kept.
ShrinkAxes free_axes(const Draft& draft) {
  ShrinkAxes axes = axes_by_size(draft);
  if (!draft.keeps_parameters) return axes;
  const std::vector<TensorSpec> tensors = draft.block->tensors(draft.dense.attributes);
  std::erase_if(axes, [&](const ShrinkAxis& axis) {
    return std::ranges::any_of(tensors, [&](const TensorSpec& spec) {
      return spec.is_parameter() && has_extent(spec, axis.extent);
    });
  });
  return axes;
}

Steps steps_of(const Draft& draft) {
  const ShrinkAxes axes = free_axes(draft);
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

std::vector<NamedTensor> parameters_of(const Case& c) {
  std::vector<NamedTensor> parameters = c.inputs;
  std::erase_if(parameters, [](const NamedTensor& input) { return !is_parameter(input.name); });
  return parameters;
}

}  // namespace

Shrinks deep_shrink_stream(const BlockDefinition& block) {
  return [&block](const Case& c) {
    Draft draft = draft_of(block, c);
    Steps steps = steps_of(draft);
    return candidates(std::move(draft), std::move(steps));
  };
}

Shrinks input_shrink_stream(const BlockDefinition& block) {
  return [&block](const Case& c) -> CaseStream {
    Draft draft = draft_of(block, c);
    draft.keeps_parameters = true;
    Steps steps = steps_of(draft);
    return [smaller = candidates(std::move(draft), std::move(steps)), attributes = c.attributes,
            parameters = parameters_of(c)] {
      std::optional<Case> next = smaller();
      while (next && (next->attributes != attributes || parameters_of(*next) != parameters)) next = smaller();
      return next;
    };
  };
}

}  // namespace deformdiff
