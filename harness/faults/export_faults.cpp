// What exports of whole models silently get wrong: they trace, load and run, and no check of shapes fails.
#include "faults/affected.h"
#include "faults/export_mistakes.h"
#include "faults/fault.h"
#include "faults/normaliser.h"
#include "faults/tampering.h"
#include "faults/unregistered.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/tracing/traced.h"

#include <utility>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::forward_operator;
using Blocks = std::set<std::string>;

Tamper baked_masks(const Call&) {
  return [](const std::string& stage, const at::Tensor& value) {
    // The copy is recorded: a trace has no outputs that it does not know.
    return is_stage(stage, "attention_mask_raw") ? baked(value).clone() : value;
  };
}

}  // namespace

SubjectList export_faults() {
  const Blocks attending = blocks_with_parameter("sampling_offsets.weight");
  SubjectList list;
  const auto add = [&list](const FaultDescription& description, const Blocks& blocks, TracingSizes sizes,
                           BlockFunction function) {
    add_fault(list, description, blocks, traced(std::move(function), Replay::kInterpreter, sizes));
  };
  add({"traced_block_unregistered_kernel", "export",
       "an unregistered kernel inside a traced model: replays zeros", "", "out_of_bound"},
      attending, TracingSizes::kSame, every_block(unregistered_kernel));
  add({"traced_block_stale_constant", "export",
       "a traced model holds the first result of an unregistered kernel", "", "out_of_bound"},
      attending, TracingSizes::kSame, every_block(constant_kernel));
  add({"traced_block_stale_mask", "export", "a traced model holds the attention masks of its first image", "",
       "out_of_bound"},
      blocks_with_attribute("mask_threshold"), TracingSizes::kSame, tampered(forward_operator, baked_masks));
  add({"traced_block_baked_normaliser", "export",
       "a traced model divides offsets by the sides of its first maps", "", "out_of_bound"},
      attending, TracingSizes::kOther, tampered(forward_operator, with_normaliser(baked)));
  add({"traced_block_baked_levels", "export", "a traced model has its first maps' sides inside the operator",
       "", "out_of_bound"},
      attending, TracingSizes::kTransposed, every_block(baked_levels));
  add({"traced_block_baked_batch", "export", "a traced model attends for one image, whatever the batch", "",
       "out_of_bound"},
      blocks_with_parameter("self_attn.sampling_offsets.weight"), TracingSizes::kBatchOfOne,
      every_block(unrolled_batch));
  add({"traced_block_training_mode", "export", "a model traced in training mode: dropout is left in", "",
       "out_of_bound"},
      blocks_with_parameter("fc2.weight"), TracingSizes::kOther, tampered(forward_operator, dropout_left_in));
  return list;
}

}  // namespace deformdiff::worker
